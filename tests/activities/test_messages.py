"""A message is sent once for each key."""

import pytest

from activities.messages import PAYABLES, Message, send_message
from orchestration.failures import Failure
from tests.outside import Sandbox


def a_message(key: str, text: str = "hello") -> Message:
    return Message(to="ada@example.com", subject="news", text=text, key=key)


async def test_running_twice_sends_once(sandbox: Sandbox) -> None:
    first = await send_message(a_message("a:told"))
    second = await send_message(a_message("a:told"))

    assert first == second
    assert [mail["text"] for mail in await sandbox.mails("ada@example.com")] == ["hello"]


async def test_another_key_is_another_message(sandbox: Sandbox) -> None:
    await send_message(a_message("a:told"))
    await send_message(a_message("b:told"))

    assert len(await sandbox.mails("ada@example.com")) == 2


async def test_the_mail_for_accounts_payable_goes_to_the_address_in_the_settings(
    sandbox: Sandbox, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("PAYABLES", "team@acme.example")

    await send_message(a_message("a:told") | {"to": PAYABLES})

    assert len(await sandbox.mails("team@acme.example")) == 1


async def test_an_outage_is_retriable(sandbox: Sandbox) -> None:
    await sandbox.fault("mail", fail_next=1)

    with pytest.raises(Failure) as caught:
        await send_message(a_message("a:told"))

    assert (caught.value.code, caught.value.retriable) == ("mail_unavailable", True)


async def test_a_mail_that_was_sent_with_other_words_before_a_deployment_counts(
    sandbox: Sandbox,
) -> None:
    await send_message(a_message("a:told"))

    assert await send_message(a_message("a:told", "hello again")) == "a:told"
    assert [mail["text"] for mail in await sandbox.mails("ada@example.com")] == ["hello"]


async def test_an_address_that_is_refused_is_a_failure(sandbox: Sandbox) -> None:
    with pytest.raises(Failure, match="bad_request"):
        await send_message(
            a_message("a:told") | Message(to="nobody", subject="s", text="", key="k")
        )
