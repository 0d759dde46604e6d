"""A number is checked by an office that wants a token, which is written nowhere, by processes."""

from tests.processes import TAX_TOKEN, Site

ID = "tax-check:DE123456789:2026-11-21"
HISTORY = "showHistory=true&showHistoryOutput=true&showInput=true"


def test_a_number_is_checked_and_the_token_is_not_written(api: Site, world: Site) -> None:
    office = {"token": TAX_TOKEN, "ready_after_looks": 1}
    assert world.send("PUT", "/tax/office", office).ok

    try:
        body = {"vat_id": "DE123456789", "day": "2026-11-21"}
        asked = [api.send("POST", "/api/tax-checks", body) for _ in range(3)]
        operation = api.ended(ID)
    finally:
        world.send("PUT", "/tax/office", {})
    history = api.send("GET", f"/runtime/webhooks/durabletask/instances/{ID}?{HISTORY}")

    assert {answer.status_code for answer in asked} == {202}
    assert (operation["output"]["valid"], operation["output"]["calls"]) == (True, 3)
    assert "ticket-" in history.text
    assert TAX_TOKEN not in history.text


def test_a_lost_answer_is_requested_again(api: Site, world: Site) -> None:
    vat_id = "DE223456780"
    lost = {"on": "tax.checks", "about": vat_id, "lose_answer_next": 1}
    assert world.send("POST", "/faults", lost).ok

    api.send("POST", "/api/tax-checks", {"vat_id": vat_id, "day": "2026-11-21"})
    operation = api.ended(f"tax-check:{vat_id}:2026-11-21")

    assert operation["output"]["valid"] is False
    assert world.send("GET", "/tax/checks").json()["checks"].count(vat_id) == 1
