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


async def test_with_a_token_asked_for_nobody_gets_in_without_it(ask, get, put, sandbox):
    check = await ask("DE123456789")
    await put("/tax/office", {"token": "open-sesame", "ready_after_looks": 0})

    assert (await get(check))[0] == 401
    for token, status in (("wrong", 401), ("open-sesame", 200)):
        headers = {"Authorization": f"Bearer {token}"}
        async with sandbox.get(check, headers=headers) as answer:
            assert answer.status == status


@pytest.mark.parametrize("name", ["0", "2", "x", "-1", "9" * 30])
async def test_a_check_nobody_asked_for_is_404(ask, get, name):
    await ask("DE123456789")

    status, answer = await get(f"/tax/checks/{name}")

    assert (status, answer["code"]) == (404, "check_unknown")
