"""Two of three approve a large payment by the links in their mails, over HTTP, by processes."""

import pytest
import requests

from tests.processes import Site


@pytest.fixture
def approval(api: Site) -> str:
    payment = {
        "payment": "E2E-1",
        "vendor": "acme",
        "amount_cents": 5_000_000,
        "requested_by": "ada@example.com",
    }
    started = api.send("POST", "/api/approvals", payment)
    assert started.status_code == 202, started.text
    return str(started.json()["id"])


def mailed_link(world: Site, api: Site, approval: str, role: str) -> str:
    """The link in the mail to a role, once it is there."""
    api.at_step(approval, "waiting")
    mails = world.send("GET", f"/mail/messages?to={role}@example.com").json()["messages"]
    [mail] = [mail for mail in mails if approval in mail["text"]]
    return str(mail["text"]).split()[-1].removeprefix(api.base)


def decide(api: Site, link: str, decision: str) -> requests.Response:
    return api.send("POST", link, {"decision": decision, "comment": f"I {decision}"})


def test_two_of_three_approve(api: Site, world: Site, approval: str) -> None:
    lead, director, controller = (
        mailed_link(world, api, approval, role) for role in ("lead", "director", "controller")
    )
    forged = decide(api, lead.replace("token=lead", "token=controller"), "reject")
    taken = [decide(api, link, "approve") for link in (lead, director)]
    operation = api.ended(approval)
    late = decide(api, controller, "reject")

    assert forged.status_code == 403
    assert [answer.status_code for answer in taken] == [202, 202]
    assert operation["output"]["outcome"] == "approved"
    assert {each["role"] for each in operation["output"]["decisions"]} == {"lead", "director"}
    assert late.status_code == 410
