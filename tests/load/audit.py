"""Checks after the load that nothing was lost or doubled, and that nothing stands still."""

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
            print(f"  {count} wait: {why}")
        for words in self.wrong:
            print(f"wrong: {words}")


def audit(app: Site, sandbox: Site, sent: Sent) -> Audit:
    """Wait until all that can end has ended, and compare everything that is kept."""
    instances = _settled(app)
    found = Audit()
    for instance_id, each in instances.items():
        if each["runtimeStatus"] in _ENDED:
            found.ends[each["runtimeStatus"]] += 1
        else:
            why = _why_waiting(app, instance_id)
            found.waits[f"{each['name']} for {_in_general(why)}"] += 1
            if not why.startswith(_MAY_WAIT_FOR):
                found.wrong.append(f"{instance_id} stands still: it waits for {why}")
    found.wrong += _lost(instances, sent)
    for path, shown in sent.read.items():
        now = app.send("GET", path).json()
        if not shown.items() <= now.items():
            found.wrong.append(f"GET {path} has shown {shown}, and shows {now}")
    found.wrong += _money(instances, sandbox)
    found.wrong += _postings(instances, sandbox)
    return found


def _settled(app: Site) -> dict[str, Any]:
    until = time.monotonic() + _SETTLES_WITHIN
    while True:
        instances = _instances(app)
        going = [each for each in instances.values() if each["runtimeStatus"] not in _ENDED]
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
    """Why an instance waits, without the parts that differ between instances."""
    kinds = [kind for kind in _MAY_WAIT_FOR if kind in why]
    events = [part.strip() for part in why.split(",") if part.strip().startswith("the event '")]
    others = [kind.removesuffix(" of ").removesuffix(" '") for kind in kinds[1:] if kind in why]
    return ", ".join(events + [each for each in others if not each.startswith("the event")]) or why


def _lost(instances: Mapping[str, Any], sent: Sent) -> Iterator[str]:
    # The check of the eternal pattern deletes what it has stopped.
    kept = [each for each in sent.accepted if "sweep" not in each]
    if lost := [each for each in kept if each not in instances]:
        yield f"{len(lost)} operations that were answered with 202 are gone: {lost[:3]}"
    for each in sent.ended:
        if each in instances and instances[each]["runtimeStatus"] not in _ENDED:
            yield f"{each} had ended, and is {instances[each]['runtimeStatus']}"


def _money(instances: Mapping[str, Any], sandbox: Site) -> Iterator[str]:
    """Compare each payment with what the bank says of it."""
    bank = sandbox.send("GET", "/bank/audit").json()
    if not bank["balanced"]:
        yield "the ledger of the bank does not balance"
    for payment, state in bank["payments"].items():
        if payment not in instances:
            yield f"the bank has {payment}, which no operation asked for"
        elif state["in_suspense_cents"] and instances[payment]["runtimeStatus"] in _ENDED:
            yield f"money of {payment} is in suspense"
    for instance_id, each in instances.items():
        if each["name"] == "invoice_payment" and each["runtimeStatus"] in ("Completed", "Failed"):
            is_paid = each["runtimeStatus"] == "Completed"
            state = bank["payments"].get(instance_id, {"state": "undone"})
            if state["state"] != ("paid" if is_paid else "undone"):
                yield f"{instance_id} is {each['runtimeStatus']}, and the bank says {state}"
            elif is_paid and (state["debits"], state["credits"]) != (1, 1):
                yield f"{instance_id} is paid, and the bank says {state}"


def _postings(instances: Mapping[str, Any], sandbox: Site) -> Iterator[str]:
    """Compare the postings with the intakes and the payments that made them."""
    postings = [
        each for each in sandbox.send("GET", "/postings").json()["postings"] if not each["reversed"]
    ]
    keys = [(each.get("kind"), each.get("vendor"), each.get("number")) for each in postings]
    if doubled := [each for each, count in Counter(keys).items() if count > 1]:
        yield f"posted twice: {doubled[:3]}"
    there = {each["id"] for each in postings}
    for instance_id, each in instances.items():
        if each["name"] in ("invoice_intake", "delivery_intake") and isinstance(
            each["output"], dict
        ):
            posting = each["output"].get("id")
            if each["runtimeStatus"] == "Completed" and posting not in there:
                yield f"{instance_id} has completed, and {posting} is not in the books"
