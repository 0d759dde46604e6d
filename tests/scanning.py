"""What tests of documents do: scan an invoice, send it, decide on it, read the stored files."""

import json
from collections.abc import AsyncIterator
from typing import Any, Final
from uuid import uuid4

import pytest
import pytest_asyncio
from azure.functions.blob import InputStream

from activities.blobs import blob_names, read_blob, write_blob
from activities.documents import DOCUMENTS, QUARANTINE, digest_of
from activities.messages import PAYABLES
from activities.reviews import REVIEWER
from durablehost.testing import Answer, ManualHub
from sandbox.documents import write_invoice
from tests.outside import Sandbox

ARRIVED: Final = "start_document_intake_from_blob"
MOST: Final = 20 * 2**20


def scanned(number: str = "INV-1", amount_cents: int = 125_000, **others: str) -> bytes:
    """A scan that no other test has: acme's PO-1001 is over 1250.00."""
    said = {"order": "PO-1001", **others, "note": str(uuid4())}
    return write_invoice(said.pop("vendor", "acme"), number, amount_cents, **said)


def id_of(content: bytes) -> str:
    return f"document:{digest_of(content)}"


async def send(hub: ManualHub, content: bytes, **headers: str) -> Answer:
    sent = {"Content-Type": "application/pdf"} | {
        n.replace("_", "-"): v for n, v in headers.items()
    }
    return await hub.request("POST", "/api/documents", data=content, headers=sent)


async def name(hub: ManualHub, blob: str) -> Answer:
    return await hub.request("POST", "/api/documents", json={"blob": blob})


async def take_in(hub: ManualHub, content: bytes) -> str:
    """Send a scan, and return its instance id when the pipeline waits or has ended."""
    answer = await send(hub, content)
    assert answer.status == 202, answer.text
    return str(answer.json()["id"])


def arrived(name: str, content: bytes, length: int | None = None, etag: str = "0x1") -> InputStream:
    """A blob as the host hands it to a function."""
    size = len(content) if length is None else length
    properties = {"ETag": etag, "ContentLength": size}
    return InputStream(data=content, name=name, length=size or None, blob_properties=properties)


async def link(sandbox: Sandbox) -> str:
    """The link to decide by, in the reviewer's latest mail."""
    latest = (await sandbox.mails(REVIEWER))[-1]
    return str(latest["text"]).split()[-1].removeprefix("http://localhost:7071")


async def decide(hub: ManualHub, link: str, decision: str = "accept", **more: Any) -> Answer:
    return await hub.request("POST", link, json={"decision": decision, **more})


async def reported(sandbox: Sandbox) -> list[str]:
    """The subjects of the mails to accounts payable."""
    return [mail["subject"] for mail in await sandbox.mails(PAYABLES)]


async def stored(folder: str, file: str, container: str = DOCUMENTS) -> Any:
    """A stored file of a folder, decoded if it is JSON."""
    content = await read_blob(container, f"{folder}/{file}", MOST)
    return json.loads(content) if file.endswith(".json") else content


async def files_of(folder: str, container: str = DOCUMENTS) -> list[str]:
    """The names of all files that are stored in a folder."""
    found = await blob_names(container, f"{folder}/", 100)
    return [each.removeprefix(f"{folder}/") for each in found]


async def quarantined() -> set[str]:
    """The folders in quarantine."""
    return {each.partition("/")[0] for each in await blob_names(QUARANTINE, "", 5000)}


@pytest_asyncio.fixture
async def storage(
    sandbox: object, azurite_connection: str, monkeypatch: pytest.MonkeyPatch
) -> AsyncIterator[None]:
    """The storage in the settings of the app, with its containers."""
    monkeypatch.setenv("AzureWebJobsStorage", azurite_connection)
    for container in (DOCUMENTS, QUARANTINE):
        await write_blob(container, "creates the container", b"")
    yield
