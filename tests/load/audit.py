"""Checks after the load that nothing was lost or doubled, and that nothing stands still."""

import re
import time
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Final
from urllib.parse import quote

import requests

from tests.processes import Site

_SETTLES_WITHIN: Final = 120.0  # seconds
_ENDED: Final = frozenset({"Completed", "Failed", "Terminated"})
# An instance may wait for these; for an activity or an entity it does not wait that long.
_MAY_WAIT_FOR: Final = ("the event '", "the timer of ", "the child '")
_FOR_EVER: Final = "ledger_sweep"  # a timer function starts it again after each stop
_INTAKES: Final = ("invoice_intake", "delivery_intake")
_REPLAY: Final = "/admin/durablehost/dashboard/api/replay?id="


@dataclass(frozen=True)
class Sent:
    """What the callers have sent and seen."""

    accepted: Sequence[str]  # ids of operations that were answered with 202
    ended: Sequence[str]  # ids of operations that a caller followed to their end
    read: Mapping[str, Mapping[str, Any]]  # paths, and what each has shown


@dataclass
class Audit:
    """How the instances ended, why others wait, and what is wrong."""

    ends: Counter[str] = field(default_factory=Counter)
    waits: Counter[str] = field(default_factory=Counter)  # by orchestrator, and why
    wrong: list[str] = field(default_factory=list)

    def show(self) -> None:
        ended, waiting = sum(self.ends.values()), sum(self.waits.values())
        ends = ", ".join(f"{count} {status}" for status, count in sorted(self.ends.items()))
        print(f"started {ended + waiting} instances: {ended} ended ({ends}), {waiting} wait")
        for why, count in sorted(self.waits.items()):
            print(f"  {count} {why}")
        for words in self.wrong:
            print(f"wrong: {words}")


@dataclass(frozen=True)
class Evidence:
    """What the app, the bank and the books hold in the end."""

    instances: Mapping[str, Any]  # as the management API shows each, by its id
    why: Mapping[str, str]  # what each that has not ended waits for
    shown: Mapping[str, Mapping[str, Any]]  # by the path
    bank: Mapping[str, Any]
    postings: Sequence[Mapping[str, Any]]


def collect(app: Site, sandbox: Site, sent: Sent) -> Evidence:
    """Wait until all that can end has ended, and read everything."""
    instances = _settled(app)
    return Evidence(
        instances,
        {each: _why_waiting(app, each) for each in instances if not _has_ended(instances[each])},
        {path: app.send("GET", path).json() for path in sent.read},
        sandbox.send("GET", "/bank/audit").json(),
        sandbox.send("GET", "/postings").json()["postings"],
    )


def audit(evidence: Evidence, sent: Sent) -> Audit:
    """Compare what was sent with everything that is kept."""
    found = Audit()
    for instance_id, each in evidence.instances.items():
        if _has_ended(each):
            found.ends[each["runtimeStatus"]] += 1
            continue
        why = evidence.why[instance_id]
        found.waits[f"{each['name']} waits for {_in_general(why)}"] += 1
        if not why.startswith(_MAY_WAIT_FOR):
            found.wrong.append(f"{instance_id} stands still: it waits for {why}")
    found.wrong += _lost(evidence, sent)
    found.wrong += _money(evidence)
    found.wrong += _postings(evidence)
    return found


def _has_ended(instance: Mapping[str, Any]) -> bool:
    return instance["runtimeStatus"] in _ENDED


def _settled(app: Site) -> dict[str, Any]:
    until = time.monotonic() + _SETTLES_WITHIN
    while True:
        instances = _instances(app)
        going = [
            each
            for each in instances.values()
            if not _has_ended(each) and each["name"] != _FOR_EVER
        ]
        if not going or time.monotonic() > until:
            return instances
        time.sleep(1)


def _instances(app: Site) -> dict[str, Any]:
    """What the management API says of each instance, by its id."""
    found: dict[str, Any] = {}
    token = ""
    while True:
        address = f"{app.base}/runtime/webhooks/durabletask/instances?top=1000"
        headers = {"x-ms-continuation-token": token} if token else {}
        answer = requests.get(address, headers=headers, timeout=60)
        found |= {
            each["instanceId"]: each
            for each in answer.json()
            if not each["instanceId"].startswith("@")
        }
        token = answer.headers.get("x-ms-continuation-token", "")
        if not token:
            return found


def _why_waiting(app: Site, instance_id: str) -> str:
    shown = app.send("GET", _REPLAY + quote(instance_id, safe="")).json()
    return str(shown.get("waits") or shown.get("why"))


def _in_general(why: str) -> str:
    """Why instances wait, without the times and ids that differ between them."""
    general = re.sub(r"the timer of \S+ \S+( \([^)]*\))?", "a timer", why)
    return re.sub(r"the child '[^']*'", "a child", general)


def _lost(evidence: Evidence, sent: Sent) -> Iterator[str]:
    # The check of the eternal pattern deletes what it has stopped.
    kept = [each for each in sent.accepted if "sweep" not in each]
    if lost := [each for each in kept if each not in evidence.instances]:
        yield f"{len(lost)} operations that were answered with 202 are gone: {lost[:3]}"
    for each in sent.ended:
        if each in evidence.instances and not _has_ended(evidence.instances[each]):
            yield f"{each} had ended, and is {evidence.instances[each]['runtimeStatus']}"
    for path, shown in sent.read.items():
        now = evidence.shown[path]
        if not shown.items() <= now.items():
            yield f"GET {path} has shown {dict(shown)}, and shows {dict(now)}"


def _money(evidence: Evidence) -> Iterator[str]:
    """Compare each payment with what the bank says of it."""
    instances, bank = evidence.instances, evidence.bank
    if not bank["balanced"]:
        yield "the ledger of the bank does not balance"
    for payment, state in bank["payments"].items():
        if payment not in instances:
            yield f"the bank has {payment}, which no operation asked for"
        elif state["in_suspense_cents"] and _has_ended(instances[payment]):
            yield f"money of {payment} is in suspense"
    for instance_id, each in instances.items():
        if each["name"] == "invoice_payment" and each["runtimeStatus"] in ("Completed", "Failed"):
            is_paid = each["runtimeStatus"] == "Completed"
            state = bank["payments"].get(instance_id, {"state": "undone"})
            if state["state"] != ("paid" if is_paid else "undone"):
                yield f"{instance_id} is {each['runtimeStatus']}, and the bank says {state}"
            elif is_paid and (state["debits"], state["credits"]) != (1, 1):
                yield f"{instance_id} is paid, and the bank says {state}"


def _postings(evidence: Evidence) -> Iterator[str]:
    """Compare the postings with the intakes that made them."""
    postings = [each for each in evidence.postings if not each["reversed"]]
    keys = Counter((each["kind"], each["vendor"], each["number"]) for each in postings)
    if doubled := [key for key, count in keys.items() if count > 1]:
        yield f"posted twice: {doubled[:3]}"
    there = {each["id"] for each in postings}
    for instance_id, each in evidence.instances.items():
        is_posted = each["name"] in _INTAKES and each["runtimeStatus"] == "Completed"
        if is_posted and each["output"]["id"] not in there:
            yield f"{instance_id} has completed, and its posting is not in the books"
