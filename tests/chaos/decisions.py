"""Decisions while systems fail and durablehost is killed.

People decide on approvals and documents by the links in their mails, some of them twice. The mail,
the reader and the books fail and lose answers, some mails are always refused, and durablehost is
killed at random. Then every decision that was accepted is looked for in the results.
"""

import asyncio
import random
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any, Final

import aiohttp

from activities.documents import digest_of
from activities.ids import document_id
from sandbox.app import create_app
from sandbox.documents import write_invoice
from tests.azurite import running_azurite
from tests.chaos.decisions_audit import Approval, Document, Findings, Sent, audit
from tests.chaos.killing import PATIENCE_SECONDS, Say, all_ended, read, run_with_kills, tell
from tests.chaos.load import Client

LARGE_CENTS: Final = 1_000_001
ALL: Final = ("lead", "controller", "director")
_FAULTS: Final[tuple[dict[str, Any], ...]] = (
    {"on": "mail.messages", "method": "POST", "one_in": 4},
    {"on": "mail.messages", "method": "POST", "one_in": 5, "what": "lose_answer"},
    {"on": "reader.documents", "one_in": 5},
    {"on": "orders", "one_in": 8},
    {"on": "postings", "method": "POST", "one_in": 5, "what": "lose_answer"},
)
_DECIDES_TWICE: Final = 0.5
_LONGEST_THOUGHT_SECONDS: Final = 0.5
_LOOK_SECONDS: Final = 0.2


class Decisions:
    """Approvals and documents, and the people who decide on them."""

    def __init__(self, approvals: int, documents: int, chance: random.Random, storage: str) -> None:
        self.count = self.callers = approvals + documents
        self.sent = 0
        self.settings = {"DECISION_KEY": "a-key-for-tests-that-is-long-enough"}
        if storage:
            self.settings["AzureWebJobsStorage"] = storage
        self._chance = chance
        self._run = f"{chance.getrandbits(64):016x}"  # Azurite may contain documents of other runs
        self._approvals = [self._approval(number) for number in range(approvals)]
        self._documents = [self._document(number) for number in range(documents)]
        work: list[Approval | Document] = [*self._approvals, *self._documents]
        chance.shuffle(work)
        self._waiting = iter(work)
        self._second = 0
        self._operations: dict[str, Any] = {}
        self._books: dict[str, Any] = {}

    def _approval(self, number: int) -> Approval:
        if number % 4 == 0:
            return Approval(f"A-{number}", 100, needed=1, roles=("lead",))
        refused = {1: ("director",), 3: ("controller", "director")}.get(number % 8, ())
        return Approval(f"A-{number}", LARGE_CENTS, needed=2, roles=ALL, refused=refused)

    def _document(self, number: int) -> Document:
        decision = ("accept", "reject", None)[number % 3]
        doubt = " ?0.6" if decision else ""
        name = f"D-{self._run}-{number}"
        content = write_invoice("acme", name + doubt, 100, order="PO-1001")
        return Document(name, document_id(digest_of(content)), content, decision)

    async def switch_faults_on(self, outside: aiohttp.ClientSession) -> None:
        for approval in self._approvals:
            for role in approval.refused:
                subject = f"decide on the payment of invoice {approval.number} of"
                about = f'"to": "{role}@example.com", "subject": "{subject}'
                refused = {"on": "mail.messages", "about": about, "fail_next": 10**6, "status": 403}
                await tell(outside, "POST", "/faults", refused)
        for seed, fault in enumerate(_FAULTS):
            await tell(outside, "POST", "/faults", fault | {"seed": seed})

    async def switch_faults_off(self, outside: aiohttp.ClientSession) -> None:
        await tell(outside, "DELETE", "/faults")

    async def call(
        self, client: Client, outside: aiohttp.ClientSession, due: asyncio.Semaphore
    ) -> None:
        """Start an approval or a document, and let the people who are asked decide on it."""
        work = next(self._waiting)
        await due.acquire()
        people = [self._decide(client, outside, work, sent) for sent in self._planned(work)]
        while (await self._start(client, work)) is None:
            pass
        self.sent += 1
        await asyncio.gather(*people)

    async def _start(self, client: Client, work: Approval | Document) -> Any:
        if isinstance(work, Document):
            return await client.send("POST", "/api/documents", work.content)
        body = {
            "vendor": "acme",
            "number": work.number,
            "amount_cents": work.amount_cents,
            "requested_by": "ada@example.com",
        }
        return await client.send("POST", "/api/approvals", body)

    def _planned(self, work: Approval | Document) -> list[Sent]:
        """Plan the decision of each person. If only two people vote, they agree."""
        if isinstance(work, Document):
            return [Sent("reviewer", work.decision)] if work.decision else []
        people = [role for role in work.roles if role not in work.refused]
        choices = [self._chance.choice(("approve", "reject")) for _ in people]
        if len(people) == work.needed:
            choices = choices[:1] * len(people)
        return [Sent(*each) for each in zip(people, choices, strict=True)]

    async def _decide(
        self,
        client: Client,
        outside: aiohttp.ClientSession,
        work: Approval | Document,
        sent: Sent,
    ) -> None:
        """Wait for the mail, send the decision until it is answered, then perhaps the opposite."""
        link = await self._link(client, outside, work, sent.role)
        if link is None:
            return
        await asyncio.sleep(self._chance.random() * _LONGEST_THOUGHT_SECONDS)
        work.sent.append(sent)
        while (answer := await client.send("POST", link, {"decision": sent.decision})) is None:
            pass
        sent.status, sent.answered_at = answer.status, time.time()
        if self._chance.random() < _DECIDES_TWICE:
            other = {"approve": "reject", "accept": "reject", "reject": "approve"}[sent.decision]
            if isinstance(work, Document) and other == "approve":
                other = "accept"
            self._second += 1
            await client.send("POST", link, {"decision": other})

    async def _link(
        self,
        client: Client,
        outside: aiohttp.ClientSession,
        work: Approval | Document,
        role: str,
    ) -> str | None:
        """Wait for the link in the mail. Returns None if the work ends without this person."""
        path = f"/{work.id}/decisions?token="
        until = time.monotonic() + PATIENCE_SECONDS
        while time.monotonic() < until:
            mails = (await read(outside, f"/mail/messages?to={role}@example.com"))["messages"]
            links = [mail["text"].split()[-1] for mail in mails if path in mail["text"]]
            if links:
                return "/api/" + str(links[-1]).partition("/api/")[2]
            shown = await client.send("GET", f"/api/operations/{work.id}")
            if shown is not None and shown.status == 200:
                return None
            await asyncio.sleep(_LOOK_SECONDS)
        return None

    async def finish(self, client: Client, outside: aiohttp.ClientSession) -> None:
        ids = [approval.id for approval in self._approvals]
        ids += [document.id for document in self._documents]
        self._operations = await all_ended(client, ids)
        paths = ("/mail/messages", "/postings")
        self._books = {path: await read(outside, path) for path in paths}

    def audited(self) -> Findings:
        found = audit(self._approvals, self._documents, self._operations, self._books)
        found.second = self._second
        return found


def in_folder(
    folder: Path, approvals: int, documents: int, kills: int, seed: int, say: Say
) -> Findings:
    """Decide while systems fail and durablehost is killed. Documents need Azurite."""
    chance = random.Random(seed)
    with _storage(documents) as storage:
        load = Decisions(approvals, documents, chance, storage)
        asyncio.run(run_with_kills(load, create_app(), folder / "decisions", kills, chance, say))
    return load.audited()


@contextmanager
def _storage(documents: int) -> Iterator[str]:
    """The connection string of an Azurite, if there are documents."""
    if not documents:
        yield ""
        return
    with running_azurite() as connection:
        yield connection
