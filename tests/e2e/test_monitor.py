"""A transfer is watched until it settles, and another until that is cancelled, by processes."""

from tests.processes import Site


def send_transfer(world: Site, vendor: str, looks: int) -> str:
    """A transfer that settles once it has been looked at so often."""
    settlement = {"settlement": {"after_looks": looks}}
    assert world.send("PUT", f"/bank/accounts/vendor:{vendor}", settlement).ok
    order = {"giver": "operating", "taker": f"vendor:{vendor}", "amount_cents": 500}
    sent = world.send("POST", "/bank/transfers", order | {"payment": vendor}, key=f"e2e:{vendor}")
    return str(sent.json()["id"])


def test_a_transfer_is_watched_until_it_settles(api: Site, world: Site) -> None:
    transfer = send_transfer(world, "e2e-quick", looks=2)

    asked = [api.send("POST", "/api/settlements", {"transfer": transfer}) for _ in range(3)]
    operation = api.ended(f"settlement:{transfer}")

    assert {answer.status_code for answer in asked} == {202}
    assert operation["output"]["outcome"] == "settled"
    assert operation["output"]["looks"] == 2


def test_a_watch_that_is_cancelled_ends(api: Site, world: Site) -> None:
    transfer = send_transfer(world, "e2e-slow", looks=1000)
    api.send("POST", "/api/settlements", {"transfer": transfer})
    api.at_step(f"settlement:{transfer}", "waiting")

    cancelled = api.send("POST", f"/api/operations/settlement:{transfer}/cancel?reason=recalled")
    operation = api.ended(f"settlement:{transfer}")

    assert cancelled.status_code == 202
    assert operation["output"]["outcome"] == "cancelled"
    assert operation["output"]["reason"] == "recalled"
