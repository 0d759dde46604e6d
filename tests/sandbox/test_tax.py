"""The tax office answers 202 until it has made up its mind."""

import pytest


@pytest.fixture
def ask(post):
    async def ask(vat_id: str) -> str:
        status, answer = await post("/tax/checks", {"vat_id": vat_id})
        assert status == 202
        return f"/tax/checks/{answer['id']}"

    return ask


async def test_a_check_points_to_its_answer_and_says_when_to_look(sandbox):
    async with sandbox.post("/tax/checks", json={"vat_id": "DE123456789"}) as asked:
        assert asked.status == 202
        assert asked.headers["Retry-After"] == "2"
        location = asked.headers["Location"]

    assert location == str(sandbox.make_url("/tax/checks/1"))


async def test_a_check_is_ready_at_the_third_look(ask, get):
    check = await ask("DE123456789")

    assert [(await get(check))[0] for _ in range(4)] == [202, 202, 200, 200]


@pytest.mark.parametrize(
    ("vat_id", "valid"),
    [("DE123456789", True), ("DE123456780", False), ("123", False), ("de123456789", False)],
)
async def test_a_number_of_the_right_form_that_does_not_end_in_0_is_valid(
    ask, get, put, vat_id, valid
):
    await put("/tax/office", {"ready_after_looks": 0})

    _, answer = await get(await ask(vat_id))

    assert (answer["status"], answer["valid"]) == ("done", valid)


async def test_a_tax_office_with_a_token_refuses_requests_without_it(ask, get, put, sandbox):
    check = await ask("DE123456789")
    await put("/tax/office", {"token": "open-sesame", "ready_after_looks": 0})

    assert (await get(check))[0] == 401
    for token, status in (("wrong", 401), ("open-sesame", 200)):
        headers = {"Authorization": f"Bearer {token}"}
        async with sandbox.get(check, headers=headers) as answer:
            assert answer.status == status


@pytest.mark.parametrize("name", ["0", "2", "x", "-1", "9" * 30])
async def test_an_unknown_check_is_404(ask, get, name):
    await ask("DE123456789")

    status, answer = await get(f"/tax/checks/{name}")

    assert (status, answer["code"]) == (404, "check_unknown")


async def test_the_same_key_is_the_same_check(sandbox, post, get):
    body = {"vat_id": "DE123456789"}

    first = await post("/tax/checks", body, key="k-1")
    again = await post("/tax/checks", body, key="k-1")
    other = await post("/tax/checks", {"vat_id": "DE123456780"}, key="k-1")

    assert first == again == (202, {"id": "1", "status": "running"})
    assert (other[0], other[1]["code"]) == (422, "idempotency_key_reused")
    assert (await get("/tax/checks"))[1] == {"checks": ["DE123456789"]}


@pytest.fixture
def bearing(sandbox):
    async def bearing(bearer, method, path, body=None):
        headers = {"Authorization": f"Bearer {bearer}"}
        async with sandbox.request(method, path, json=body, headers=headers) as answer:
            return answer.status, await answer.json()

    return bearing


@pytest.fixture
def ticket_for(put, bearing):
    async def ticket_for(vat_id):
        await put("/tax/office", {"token": "open-sesame", "ready_after_looks": 0})
        status, bought = await bearing("open-sesame", "POST", "/tax/tickets", {"vat_id": vat_id})
        assert status == 201
        return bought["ticket"]

    return ticket_for


async def test_a_ticket_opens_one_request_and_no_more(ticket_for, bearing):
    ticket, body = await ticket_for("DE123456789"), {"vat_id": "DE123456789"}

    statuses = [(await bearing(ticket, "POST", "/tax/checks", body))[0] for _ in range(2)]

    assert statuses == [202, 401]


async def test_a_ticket_for_one_number_does_not_open_another(ask, ticket_for, bearing):
    check = await ask("DE123456789")
    ticket = await ticket_for("DE987654321")

    assert (await bearing(ticket, "GET", check))[0] == 401


async def test_a_ticket_expires(ask, ticket_for, bearing, clock):
    check = await ask("DE123456789")
    ticket = await ticket_for("DE123456789")
    clock.advance(seconds=61)

    assert (await bearing(ticket, "GET", check))[0] == 401


async def test_a_ticket_buys_no_ticket(ticket_for, bearing):
    body = {"vat_id": "DE123456789"}
    ticket = await ticket_for("DE123456789")

    assert (await bearing(ticket, "POST", "/tax/tickets", body))[0] == 401


@pytest.mark.parametrize(
    ("office", "said"),
    [
        ({"retry_after": 30}, "30"),
        ({"retry_after": 30, "retry_after_as_date": True}, "Mon, 02 Nov 2026 09:00:30 GMT"),
        ({"retry_after": "soon"}, "soon"),
        ({"retry_after": None}, None),
    ],
)
async def test_retry_after_has_the_form_that_is_switched_on(sandbox, put, office, said):
    await put("/tax/office", office)

    async with sandbox.post("/tax/checks", json={"vat_id": "DE123456789"}) as asked:
        assert asked.headers.get("Retry-After") == said


@pytest.mark.parametrize(
    ("location", "said"),
    [("/tax/checks/{id}", "/tax/checks/1"), ("http://x.example/", "http://x.example/")],
)
async def test_location_has_the_form_that_is_switched_on(sandbox, put, location, said):
    await put("/tax/office", {"location": location})

    async with sandbox.post("/tax/checks", json={"vat_id": "DE123456789"}) as asked:
        assert asked.headers["Location"] == said


async def test_an_answer_can_be_any_text(ask, put, sandbox):
    await put("/tax/office", {"ready_after_looks": 0, "answer": "<html>"})

    async with sandbox.get(await ask("DE123456789")) as answer:
        assert (answer.status, await answer.text()) == (200, "<html>")
