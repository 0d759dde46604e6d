"""The mail keeps every message, and sends none twice."""

import pytest

MESSAGE = {"to": "ada@example.com", "subject": "Please decide", "text": "Approve it: http://x/"}


async def test_a_message_lies_in_the_mailbox_it_was_sent_to(post, get):
    await post("/mail/messages", MESSAGE, "k1")
    await post("/mail/messages", MESSAGE | {"to": "bob@example.com"}, "k2")

    _, mailbox = await get("/mail/messages", to="ada@example.com")

    assert [(m["subject"], m["text"], m["key"]) for m in mailbox["messages"]] == [
        ("Please decide", "Approve it: http://x/", "k1")
    ]
    assert len((await get("/mail/messages"))[1]["messages"]) == 2


async def test_a_message_with_the_same_key_is_sent_once(post, get):
    first = await post("/mail/messages", MESSAGE, "k1")

    assert await post("/mail/messages", MESSAGE, "k1") == first
    assert len((await get("/mail/messages"))[1]["messages"]) == 1


@pytest.mark.parametrize("change", [{"to": "ada"}, {"subject": ""}, {"text": None}, {"cc": "x"}])
async def test_a_message_that_cannot_be_sent_is_refused_and_names_the_field(post, get, change):
    status, answer = await post("/mail/messages", MESSAGE | change, "k1")

    assert (status, answer["message"].split(":")[0]) == (400, next(iter(change)))
    assert (await get("/mail/messages"))[1]["messages"] == []
