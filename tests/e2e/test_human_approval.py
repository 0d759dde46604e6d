"""Two of three approve a large payment by the links in their mails, over HTTP, by processes."""

import json
from collections.abc import Iterator
from pathlib import Path

import pytest
import requests

from tests.durablehost_process import running
from tests.processes import PARTIES, Site

KEY = "the+key/of=links"
PAYMENT = {
    "vendor": "acme",
    "number": "E2E-1",
    "amount_cents": 5_000_000,
    "requested_by": "ada@example.com",
}


@pytest.fixture
def approval(api: Site) -> str:
    started = api.send("POST", "/api/approvals", PAYMENT)
    assert started.status_code == 202, started.text
    return str(started.json()["id"])


@pytest.fixture
def guarded(world: Site, app_folder: Path, tmp_path: Path) -> Iterator[Site]:
    """The app on a host that asks for keys, as Azure does."""
    keys = {"master": "a-key", "durable": "another", "function": KEY, "blobs": "b"}
    (tmp_path / "keys.json").write_text(json.dumps(keys))
    environ = {f"{party.upper()}_URL": f"{world.base}/{party}" for party in PARTIES}
    environ |= {"DECISION_KEY": "a-key-for-tests-that-is-long-enough", "LINK_KEY": KEY}
    options = ("--data", tmp_path / "hub.db", "--auth", tmp_path / "keys.json")
    with running(app_folder, *options, environ=environ) as started:
        site = Site(started.base.rstrip("/"))
        try:
            yield site
        finally:
            site.close()


def mailed_link(world: Site, api: Site, approval: str, role: str, query: str = "") -> str:
    """The link in the mail to a role, once it is there."""
    api.at_step(approval + query, "waiting")
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


def test_a_link_works_on_a_host_that_requires_keys(guarded: Site, world: Site) -> None:
    query = "?code=the%2Bkey%2Fof%3Dlinks"
    payment = PAYMENT | {"number": "E2E-2"}
    started = guarded.send("POST", f"/api/approvals{query}", payment)
    link = mailed_link(world, guarded, started.json()["id"], "lead", query)

    without = guarded.send("GET", link.partition("&code=")[0])
    shown = guarded.send("GET", link)
    taken = decide(guarded, link, "approve")

    assert (without.status_code, shown.status_code, taken.status_code) == (401, 200, 202)
    assert shown.json()["role"] == "lead"
    assert KEY not in shown.text + taken.text
