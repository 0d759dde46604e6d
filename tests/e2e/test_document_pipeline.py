"""Scans are taken in over HTTP and as blobs that arrive, and reviewed by mail, by processes."""

import json
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from functools import partial
from typing import Any
from uuid import uuid4

import pytest
import requests
from azure.core.exceptions import ResourceExistsError
from azure.storage.blob import BlobServiceClient, ContainerClient

from tests.processes import PATIENCE, Site
from tests.scanning import id_of, scanned

pytestmark = pytest.mark.azurite


@pytest.fixture
def storage(azurite_connection: str) -> Iterator[BlobServiceClient]:
    with BlobServiceClient.from_connection_string(azurite_connection) as client:
        yield client


@pytest.fixture
def scans(storage: BlobServiceClient) -> ContainerClient:
    """The container that scanners write to."""
    container = storage.get_container_client("scans")
    with suppress(ResourceExistsError):
        container.create_container()
    return container


def an_order(world: Site) -> dict[str, Any]:
    """An order that no other test posts to, and its vendor."""
    order, vendor = f"PO-{uuid4().hex[:8]}", f"v-{uuid4().hex[:8]}"
    world.send("PUT", f"/orders/{order}", {"vendor": vendor, "amount_cents": 5000})
    return {"order": order, "vendor": vendor, "amount_cents": 5000}


def send(api: Site, content: bytes) -> requests.Response:
    headers = {"Content-Type": "application/pdf"}
    address = f"{api.base}/api/documents"
    return requests.post(address, data=content, headers=headers, timeout=PATIENCE)


def posted(world: Site, vendor: str) -> list[dict[str, Any]]:
    found: list[dict[str, Any]] = world.send("GET", f"/postings?vendor={vendor}").json()["postings"]
    return found


def test_ten_scans_sent_at_once_are_posted_and_one_that_is_hard_to_read_is_asked_about(
    api: Site, world: Site, storage: BlobServiceClient
) -> None:
    order = an_order(world)
    files = [scanned(f"INV-{number}", **order) for number in range(9)]
    files.append(scanned("INV-9 ?0.3", **order))

    with ThreadPoolExecutor(len(files)) as threads:
        sent = list(threads.map(partial(send, api), files))
    assert [answer.status_code for answer in sent] == [202] * 10
    assert [answer.json()["id"] for answer in sent] == [id_of(content) for content in files]
    doubtful = id_of(files[-1])
    api.at_step(doubtful, "reviewing")
    mails = world.send("GET", "/mail/messages?to=reviewer@example.com").json()["messages"]
    [link] = [mail["text"].split()[-1] for mail in mails if doubtful in mail["text"]]
    path = link.removeprefix(api.base)
    decision = {"decision": "correct", "corrections": {"number": "INV-10"}}
    assert api.send("POST", path, decision).status_code == 202

    outcomes = [api.ended(id_of(content))["output"]["outcome"] for content in files]
    assert outcomes == ["posted"] * 10
    numbers = {posting["number"] for posting in posted(world, order["vendor"])}
    assert numbers == {*(f"INV-{number}" for number in range(9)), "INV-10"}
    kept = storage.get_blob_client("documents", f"{doubtful}/decision.json").download_blob()
    assert json.loads(kept.readall())["reviews"][0]["decision"] == "correct"


def test_a_scan_that_arrives_is_posted_and_a_poisonous_one_is_put_aside(
    api: Site, world: Site, storage: BlobServiceClient, scans: ContainerClient
) -> None:
    order, name = an_order(world), str(uuid4())
    content = scanned("INV-1", **order)

    scans.upload_blob(f"{name}/poison.pdf", b"PK\x03\x04 no pdf")
    scans.upload_blob(f"{name}/one.pdf", content)
    scans.upload_blob(f"{name}/the same again.pdf", content)

    api.read_until(f"/api/operations/{id_of(content)}", {"runtimeStatus": "Completed"})
    assert len(posted(world, order["vendor"])) == 1
    reason = first_reason(storage, f"scans/{name}/poison.pdf")
    assert (reason["code"], reason["bytes"]) == ("not_a_pdf", 11)


def first_reason(storage: BlobServiceClient, blob: str) -> dict[str, Any]:
    """The reason in quarantine that names this blob, once it is there."""
    quarantine = storage.get_container_client("quarantine")
    until = time.monotonic() + PATIENCE
    while time.monotonic() < until:
        for name in quarantine.list_blob_names() if quarantine.exists() else ():
            if name.endswith("/reason.json"):
                reason: dict[str, Any] = json.loads(quarantine.download_blob(name).readall())
                if reason.get("blob") == blob:
                    return reason
    raise AssertionError(f"{blob} is not in quarantine after {PATIENCE} seconds")
