"""Files of invoices for tests: in Azurite, or in a cabinet that stands in for all blob storage."""

from collections.abc import AsyncIterator, Callable, Mapping
from contextlib import suppress
from typing import Any
from uuid import uuid4

import pytest
import pytest_asyncio
from azure.core.exceptions import ResourceExistsError
from azure.storage.blob import ContainerClient

from activities.blobs import INVOICES, BlobRef, Folder, delete_blobs, write_blob
from activities.invoice_files import shares
from durablehost.testing import ManualHub
from orchestration.failures import Failure
from sandbox.demo_files import CONTAINER, sample_files


class Cabinet:
    """Blobs in memory, by name; `files` is what vendors sent, and how much each is over."""

    def __init__(self) -> None:
        self.files: dict[str, int] = {}
        self.files_a_page = 3  # so that a lane reads few files in several generations
        self.results: dict[str, Any] = {}

    def fill(self, count: int, prefix: str = "") -> None:
        """Put files there, the first over 1.00, the next over 2.00, and so on."""
        self.files |= {f"{prefix}{n:05}.pdf": 100 * (n + 1) for n in range(count)}

    def list_files(self, batch: dict[str, Any]) -> dict[str, Any]:
        names = sorted(name for name in self.files if name.startswith(batch["prefix"]))
        lanes = [
            {
                "names": self.keep(f"{batch['folder']}/files-{lane}", files),
                "files": len(files),
                "at_once": width,
            }
            for lane, (files, width) in enumerate(
                zip(shares(names, batch["widths"]), batch["widths"], strict=True)
            )
            if files
        ]
        return {"lanes": lanes}

    def load(self, query: dict[str, Any]) -> Any:
        names = self.results[query["names"]["name"]]
        return {"files": names[query["skip"] :][: self.files_a_page]}

    def read(self, name: dict[str, str]) -> dict[str, Any]:
        file = name["file"]
        if "coffee" in file:
            return failed(file, Failure("unreadable", f"coffee was spilled over {file}"))
        if file not in self.files:
            return failed(file, Failure("unknown_blob", f"the blob storage has no {file}"))
        facts = {"amount_cents": self.files[file], "currency": "USD" if "usd" in file else "EUR"}
        invoice = {"file": file, "vendor": "acme", "number": file, "confidence": 0.98, **facts}
        return {"file": file, "invoice": invoice, "failure": None, "try_again": False}

    def keep_part(self, part: dict[str, Any]) -> BlobRef:
        return self.keep(part["name"], part)

    def sum_up(self, order: dict[str, Any]) -> dict[str, Any]:
        names = sorted(name for name in self.results if name.startswith(order["parts"]))
        parts = [self.results[name] for name in names]
        invoices = [invoice for part in parts for invoice in part["invoices"]]
        failures = [failure for part in parts for failure in part["failures"]]
        summary = {**order["counts"], "invoices": invoices, "failures": failures}
        return {"blob": self.keep(order["name"], summary), "failures": failures}

    def delete(self, folder: Folder) -> None:
        for name in [name for name in self.results if name.startswith(folder["prefix"])]:
            del self.results[name]

    def keep(self, name: str, content: Any) -> BlobRef:
        self.results[name] = content
        return BlobRef(container="results", name=name, bytes=1)

    def serve(self, hub: ManualHub) -> None:
        """Stand in for the activities of this hub that read or write blobs."""
        activities: dict[str, Callable[[Any], Any]] = {
            "list_invoice_files": self.list_files,
            "load_file_names": self.load,
            "read_invoice_file": self.read,
            "write_batch_part": self.keep_part,
            "write_batch_summary": self.sum_up,
            "delete_blobs": self.delete,
        }
        for name, activity in activities.items():
            hub.replace_activity(name, activity)


def failed(file: str, failure: Failure) -> dict[str, Any]:
    """What `read_invoice_file` returns of a file that could not be read."""
    reading = {"file": file, "invoice": None, "failure": failure.as_data()}
    return {**reading, "try_again": failure.retriable}


@pytest.fixture
def cabinet() -> Cabinet:
    return Cabinet()


class Filed:
    """Files in Azurite, in a folder of their own."""

    def __init__(self) -> None:
        self.name = f"test-{uuid4().hex[:24]}"
        self.prefix = f"{self.name}/"

    async def put(self, files: Mapping[str, bytes]) -> None:
        for name, content in files.items():
            await write_blob(INVOICES, self.prefix + name, content, "application/pdf")

    async def clear(self) -> None:
        await delete_blobs(Folder(container=INVOICES, prefix=self.prefix))


@pytest_asyncio.fixture
async def filed(
    sandbox: object, azurite_connection: str, monkeypatch: pytest.MonkeyPatch
) -> AsyncIterator[Filed]:
    """An empty folder in the container of invoices, in the storage that the app's settings name."""
    monkeypatch.setenv("AzureWebJobsStorage", azurite_connection)
    filed = Filed()
    await filed.put({"makes the container": b""})
    await filed.clear()
    yield filed
    await filed.clear()


@pytest.fixture(scope="session")
def demo_files(azurite_connection: str) -> str:
    """The connection string of a storage that `make demo-files` was run on."""
    with ContainerClient.from_connection_string(azurite_connection, CONTAINER) as container:
        with suppress(ResourceExistsError):
            container.create_container()
        for name, content in sample_files().items():
            container.upload_blob(name, content, overwrite=True)
    return azurite_connection
