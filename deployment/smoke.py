"""`python dev.py smoke URL --key KEY`: one request for each pattern, followed to its end.

It posts invoices, moves money and sends mails: run it where the parties are a sandbox. With
--sandbox it also approves a payment by the link in a mail; otherwise it cancels that approval.
Every run uses names of its own, so it can be repeated.
"""

import argparse
import sys
import time
from collections.abc import Mapping
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from random import Random
from typing import Any, Final
from uuid import uuid4

import requests

_TIMEOUT: Final = 60.0  # seconds for one request: an app that slept has to start


class Wrong(Exception):
    """What is wrong with an answer, or that the end did not come."""


@dataclass(frozen=True)
class Check:
    """A request for a pattern and what has to come of it.

    In path, body and `read`, `{run}` is different in each run, `{month}` too, and `{kept}` is
    what the check of the pattern in `after` keeps of its result.
    """

    pattern: str
    path: str
    body: Mapping[str, Any] | str  # text is the lines of a scan
    ends: Mapping[str, Any]  # part of the result
    read: str = ""  # the path that shows the result, unless Location does
    waits_at: str = ""  # the step at which it goes on only by a decision, an event or a cancel
    event: str = ""
    after: str = ""
    keeps: str = ""
    deletes: bool = False  # so that the app can start it again


CHECKS: Final = (
    Check(
        "chaining",
        "/api/invoices",
        {"vendor": "acme", "number": "{run}", "order": "PO-1001", "amount_cents": 12_500},
        {"amount_cents": 12_500},
    ),
    Check("fan_out", "/api/batches", {"name": "{run}", "prefix": "{run}/"}, {"read": 0}),
    Check("async_http", "/api/reports", {"year": 2026, "edition": "{run}"}, {"state": "completed"}),
    Check(
        "human_approval",
        "/api/approvals",
        {
            "vendor": "acme",
            "number": "{run}",
            "amount_cents": 12_500,
            "requested_by": "smoke@example.com",
        },
        {"outcome": "approved"},
        waits_at="waiting",
    ),
    Check(
        "saga",
        "/api/payments",
        {"vendor": "acme", "number": "{run}", "amount_cents": 12_500},
        {"outcome": "paid"},
        keeps="credit",
    ),
    Check(
        "monitor",
        "/api/settlements",
        {"transfer": "{kept}"},
        {"outcome": "settled"},
        after="saga",
    ),
    Check(
        "entity_counter",
        "/api/counters/{run}",
        {"amount": 5},
        {"value": 5},
        read="/api/counters/{run}",
    ),
    Check("sub_orchestrations", "/api/month-ends", {"month": "{month}"}, {"outcome": "closed"}),
    Check(
        "eternal",
        "/api/sweeps",
        {"every_minutes": 60},
        {"reason": "smoke test"},
        waits_at="waiting",
        deletes=True,  # its timer does not start a sweep that somebody stopped
    ),
    Check(
        "aggregator",
        "/api/totals",
        {"event": "{run}", "vendor": "{run}", "amount_cents": 12_500},
        {"events": 1, "amount_cents": 12_500},
        read="/api/totals/{run}",
    ),
    Check(
        "resilience",
        "/api/rates",
        {"date": "{month}-15", "currencies": ["USD", "CHF"]},
        {"failures": []},
    ),
    Check(
        "document_pipeline",
        "/api/documents",
        "%PDF-1.7\nvendor: acme\nnumber: {run}-scan\norder: PO-1001\namount: 12.50\n",
        {"outcome": "posted"},
    ),
    Check(
        "durable_http",
        "/api/tax-checks",
        {"vat_id": "DE123456789", "day": "{month}-15"},
        {"valid": True},
    ),
    Check(
        "versioning",
        "/api/deliveries",
        {"vendor": "acme", "number": "{run}-v", "order": "PO-1001", "amount_cents": 1_250},
        {"amount_cents": 1_250},
        waits_at="waiting for the goods",
        event="GoodsArrived",
    ),
)


@dataclass(frozen=True)
class Seen:
    """How a check went; `wrong` is empty where it went well."""

    pattern: str
    what: str
    seconds: float
    wrong: str = ""
    kept: str = ""


@dataclass
class Smoke:
    """One run of the checks against one app."""

    url: str
    key: str
    sandbox: str = ""
    within: float = 180.0
    pause: float = 1.0
    names: dict[str, str] = field(default_factory=dict)

    def __post_init__(self) -> None:
        chance = Random()
        self.url, self.sandbox = self.url.rstrip("/"), self.sandbox.rstrip("/")
        self.names = {
            "run": f"smoke-{uuid4().hex[:12]}",
            "month": f"{chance.randint(2000, 2019)}-{chance.randint(1, 12):02}",
        }

    def checks(self, checks: tuple[Check, ...] = CHECKS) -> list[Seen]:
        """How each check went, in their order; those that need no other all run at once."""
        found: dict[str, Seen] = {}
        with ThreadPoolExecutor(len(checks)) as pool:
            for later in (False, True):
                wave = [check for check in checks if bool(check.after) is later]
                kept = [found[check.after].kept if later else "" for check in wave]
                found |= {seen.pattern: seen for seen in pool.map(self.check, wave, kept)}
        return [found[check.pattern] for check in checks]

    def check(self, check: Check, kept: str = "") -> Seen:
        """How one check went."""
        began, what = time.monotonic(), ""
        names = self.names | {"kept": kept}
        try:
            if check.after and not kept:
                raise Wrong(f"{check.after} has no result to go on with")
            with requests.Session() as session:
                session.headers["x-functions-key"] = self.key
                what, result = self._follow(session, check, names)
        except (Wrong, requests.RequestException) as error:
            return Seen(check.pattern, what, time.monotonic() - began, str(error)[:300])
        kept = str(result.get(check.keeps, "")) if check.keeps else ""
        return Seen(check.pattern, what, time.monotonic() - began, kept=kept)

    def _follow(
        self, session: requests.Session, check: Check, names: Mapping[str, str]
    ) -> tuple[str, Mapping[str, Any]]:
        """What was asked and how it ended, and the result. Raises Wrong."""
        started = self._post(session, check, names)
        if check.read:
            read = self.url + _filled(check.read, names)
            return read, self._until(session, read, lambda shown: _holds(shown, check.ends))
        location = started.headers.get("Location", "")
        if not location:
            raise Wrong("the answer has no Location")
        ends = check.ends
        if check.waits_at:
            if started.json().get("runtimeStatus") == "Running":
                return f"{location} ran already", {}
            self._until(session, location, lambda shown: _step(shown) == check.waits_at)
            ends = self._decide(session, check, location)
        shown = self._until(session, location, lambda shown: True, running=False)
        result = shown.get("output", shown)
        if not isinstance(result, dict) or not _holds(result, ends):
            raise Wrong(f"{location} ended with {result}, and not with {dict(ends)}")
        if check.deletes:
            answer = session.delete(location, timeout=_TIMEOUT)
            if not answer.ok:
                raise Wrong(f"DELETE {location}: {answer.status_code} {answer.text}")
        return location, result

    def _post(
        self, session: requests.Session, check: Check, names: Mapping[str, str]
    ) -> requests.Response:
        address, body = self.url + _filled(check.path, names), _filled(check.body, names)
        if isinstance(body, str):
            headers = {"Content-Type": "application/pdf"}
            answer = session.post(address, data=body.encode(), headers=headers, timeout=_TIMEOUT)
        else:
            answer = session.post(address, json=body, timeout=_TIMEOUT)
        if answer.status_code not in (200, 202):
            raise Wrong(f"POST {check.path}: {answer.status_code} {answer.text}")
        return answer

    def _decide(self, session: requests.Session, check: Check, location: str) -> Mapping[str, Any]:
        """Send the event, approve by mail, or cancel; the result that this has to have."""
        if check.event:
            address = f"{location}/events/{check.event}"
            answer = session.post(address, json={}, timeout=_TIMEOUT)
            if answer.status_code != 202:
                raise Wrong(f"{check.event}: {answer.status_code} {answer.text}")
            return check.ends
        if check.pattern == "human_approval" and self.sandbox:
            link = self._mailed_link(location.rpartition("/")[2])
            # Without our own key: the one in the link has to let its reader in.
            answer = requests.post(link, json={"decision": "approve"}, timeout=_TIMEOUT)
            if answer.status_code != 202:
                raise Wrong(f"the link in the mail: {answer.status_code} {answer.text}")
            return check.ends
        answer = session.post(f"{location}/cancel?reason=smoke+test", timeout=_TIMEOUT)
        if answer.status_code != 202:
            raise Wrong(f"cancel: {answer.status_code} {answer.text}")
        return {"outcome": "cancelled"} if "outcome" in check.ends else check.ends

    def _mailed_link(self, instance: str) -> str:
        """Wait for the mail about an approval, and return its link. Raises Wrong.

        The app sends a mail that failed again after 2, 4, 8, … seconds.
        """
        mailbox = f"{self.sandbox}/mail/messages?to=lead@example.com"
        until = time.monotonic() + self.within
        while time.monotonic() < until:
            mails = requests.get(mailbox, timeout=_TIMEOUT).json()["messages"]
            links = [mail["text"].split()[-1] for mail in mails if instance in mail["text"]]
            if links:
                return str(links[-1])
            time.sleep(self.pause)
        raise Wrong(f"no mail about the approval has arrived within {self.within:.0f} seconds")

    def _until(
        self, session: requests.Session, address: str, reached: Any, *, running: bool = True
    ) -> dict[str, Any]:
        """What an address shows once that is reached; with running=False, once it has ended."""
        until, shown = time.monotonic() + self.within, None
        while time.monotonic() < until:
            answer = session.get(address, timeout=_TIMEOUT)
            if answer.status_code not in (200, 202, 404):
                raise Wrong(f"GET {address}: {answer.status_code} {answer.text}")
            shown = answer.json()
            if answer.status_code != 404 and (running or answer.status_code == 200):
                if reached(shown):
                    return dict(shown)
                if "runtimeStatus" in shown and answer.status_code == 200:
                    raise Wrong(f"{address} ended with {shown.get('output')}")
            time.sleep(self.pause)
        raise Wrong(f"{address} shows {shown} after {self.within:.0f} seconds")


def _filled(template: Any, names: Mapping[str, str]) -> Any:
    """A text, or all texts in a body, with names filled in."""
    if isinstance(template, str):
        return template.format_map(names)
    if isinstance(template, Mapping):
        return {name: _filled(value, names) for name, value in template.items()}
    return template


def _step(shown: Mapping[str, Any]) -> str:
    return str((shown.get("customStatus") or {}).get("step", ""))


def _holds(shown: Mapping[str, Any], part: Mapping[str, Any]) -> bool:
    return all(shown.get(name) == value for name, value in part.items())


def main(arguments: list[str]) -> int:
    parser = argparse.ArgumentParser(prog="dev.py smoke", description=__doc__)
    parser.add_argument("url", help="such as https://NAME.azurewebsites.net")
    parser.add_argument("--key", required=True, help="a function key of the app")
    parser.add_argument("--sandbox", default="", metavar="URL", help="with its key, if it has one")
    parser.add_argument("--only", nargs="+", choices=[check.pattern for check in CHECKS])
    parser.add_argument("--within", type=float, default=180.0, metavar="SECONDS")
    parser.add_argument("--pause", type=float, default=1.0, metavar="SECONDS")
    chosen = parser.parse_args(arguments)
    wanted = {*(chosen.only or [check.pattern for check in CHECKS])}
    wanted |= {check.after for check in CHECKS if check.pattern in wanted}
    smoke = Smoke(chosen.url, chosen.key, chosen.sandbox, chosen.within, chosen.pause)
    found = smoke.checks(tuple(check for check in CHECKS if check.pattern in wanted))
    width = max(len(seen.pattern) for seen in found)
    for seen in found:
        state = "FAILED" if seen.wrong else "ok"
        print(
            f"{seen.pattern:{width}}  {state:6}  {seen.seconds:6.1f} s  {seen.wrong or seen.what}"
        )
    failed = sum(bool(seen.wrong) for seen in found)
    print(f"{failed} of {len(found)} failed" if failed else f"all {len(found)} patterns work")
    return 1 if failed else 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
