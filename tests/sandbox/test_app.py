"""The sandbox as a whole: what every request can count on."""

import pytest
from aiohttp.test_utils import TestClient, TestServer

from sandbox.app import create_app
from sandbox.books import OPENING_CENTS


async def test_the_page_lists_every_route_with_what_it_does(sandbox):
    page = await (await sandbox.get("/")).text()

    routes = sandbox.app.router.routes()
    listed = {(route.method, route.resource.canonical) for route in routes} - {("GET", "/")}
    listed -= {("HEAD", path) for _, path in listed}
    listed -= {("HEAD", "/")}
    for method, path in listed:
        assert f"<td>{method}<td><code>{path}</code><td>" in page
    assert "<td>\n" not in page
    assert not page.endswith("<td>")
    assert "<td><tr>" not in page


async def test_a_reset_forgets_money_mail_and_faults(post, get):
    debit = {"account": "operating", "amount_cents": 5, "payment": "p"}
    message = {"to": "ada@example.com", "subject": "s", "text": "t"}
    await post("/bank/debits", debit, "k1")
    await post("/mail/messages", message, "k1")
    await post("/faults", {"on": "rates", "fail_next": 9})

    await post("/reset")

    assert (await get("/bank/accounts/operating"))[1]["balance_cents"] == OPENING_CENTS
    assert (await get("/mail/messages"))[1]["messages"] == []
    assert (await get("/rates/USD"))[0] == 200
    assert (await post("/bank/debits", debit | {"amount_cents": 6}, "k1"))[0] == 201


@pytest.mark.parametrize(
    ("method", "path", "status", "code"),
    [("GET", "/nowhere", 404, "not_found"), ("PATCH", "/reset", 405, "method_not_allowed")],
)
async def test_an_unknown_path_is_refused_in_json(sandbox, method, path, status, code):
    async with sandbox.request(method, path) as answer:
        assert answer.status == status
        assert (await answer.json())["code"] == code


@pytest.mark.parametrize("body", [b"{", b"[]", b"null", b"\xff", b'"text"'])
async def test_a_body_that_is_not_an_object_is_refused(sandbox, body):
    async with sandbox.post("/bank/debits", data=body, headers={"Idempotency-Key": "k"}) as answer:
        assert answer.status == 400
        assert (await answer.json())["code"] == "bad_request"


async def test_two_sandboxes_know_nothing_of_each_other(sandbox, post):
    await post("/mail/messages", {"to": "a@b.example", "subject": "s", "text": "t"}, "k")

    async with TestClient(TestServer(create_app())) as other:
        assert (await (await other.get("/mail/messages")).json())["messages"] == []
