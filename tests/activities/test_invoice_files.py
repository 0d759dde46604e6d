"""Files are dealt out to shards of a size, and each is read or says why it cannot be."""

import json

import pytest

from activities import invoice_files
from activities.blobs import RESULTS, Folder, delete_blobs, read_blob
from activities.invoice_files import (
    Dealing,
    FileName,
    deal_invoice_files,
    load_batch_shard,
    read_invoice_file,
)
from orchestration.failures import Failure
from sandbox.documents import write_invoice
from tests.filing import Filed
from tests.outside import Sandbox

pytestmark = pytest.mark.azurite


async def dealt(filed: Filed, lanes: int = 4) -> list[list[str]]:
    """The files of each shard, without their folder."""
    folder = f"{filed.name}-lists"
    try:
        found = await deal_invoice_files(Dealing(prefix=filed.prefix, lanes=lanes, folder=folder))
        shards = [(await load_batch_shard(shard))["files"] for shard in found["shards"]]
        assert sum(map(len, shards)) == found["files"]
        return [[name.removeprefix(filed.prefix) for name in shard] for shard in shards]
    finally:
        await delete_blobs(Folder(container=RESULTS, prefix=f"{folder}/"))


async def read(filed: Filed, content: bytes) -> invoice_files.InvoiceFile:
    await filed.put({"a.pdf": content})
    found: invoice_files.InvoiceFile = await read_invoice_file(
        FileName(file=f"{filed.prefix}a.pdf")
    )
    return found


@pytest.mark.parametrize(
    ("files", "lanes", "sizes"),
    [(0, 4, []), (1, 4, [1]), (4, 4, [1, 1, 1, 1]), (9, 4, [3, 3, 3]), (9, 1, [9])],
)
async def test_few_files_are_dealt_to_as_many_lanes_as_there_are(
    filed: Filed, files: int, lanes: int, sizes: list[int]
) -> None:
    await filed.put({f"{n}.pdf": b"" for n in range(files)})

    assert [len(shard) for shard in await dealt(filed, lanes)] == sizes


async def test_no_shard_is_over_its_size(filed: Filed, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(invoice_files, "FILES_A_SHARD", 5)
    await filed.put({f"{n:02}.pdf": b"" for n in range(23)})

    shards = await dealt(filed)

    assert [len(shard) for shard in shards] == [5, 5, 5, 5, 3]
    assert sum(shards, []) == [f"{n:02}.pdf" for n in range(23)]


async def test_too_many_files_are_refused(filed: Filed, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(invoice_files, "MAX_FILES", 3)
    await filed.put({f"{n}.pdf": b"" for n in range(3)})
    assert len(await dealt(filed)) == 3

    await filed.put({"4.pdf": b""})
    with pytest.raises(Failure, match="over 3 files") as raised:
        await dealt(filed)

    assert (raised.value.code, raised.value.retriable) == ("too_many_files", False)


async def test_a_file_is_read(filed: Filed) -> None:
    content = write_invoice("acme", "INV-1 ?0.61", 125_005, currency="USD", order="PO-1")

    found = await read(filed, content)

    assert found == {
        "file": f"{filed.prefix}a.pdf",
        "vendor": "acme",
        "number": "INV-1",
        "amount_cents": 125_005,
        "currency": "USD",
        "confidence": 0.61,
    }


async def test_an_invoice_without_a_currency_is_in_euros(filed: Filed) -> None:
    assert (await read(filed, write_invoice("acme", "1", 5)))["currency"] == "EUR"


@pytest.mark.parametrize(
    ("content", "code"),
    [
        (b"", "not_a_document"),
        (b"PK\x03\x04", "not_a_document"),
        (b"%PDF-1.7\n\xff\xfe", "unreadable"),
        (write_invoice("acme", "1", 5, currency="euro"), "unreadable"),
    ],
)
async def test_a_file_that_says_nothing_has_a_code_and_is_not_worth_another_attempt(
    filed: Filed, content: bytes, code: str
) -> None:
    with pytest.raises(Failure) as raised:
        await read(filed, content)

    assert (raised.value.code, raised.value.retriable) == (code, False)


async def test_a_file_over_the_limit_is_not_sent_to_the_reader(
    filed: Filed, sandbox: Sandbox, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(invoice_files, "MAX_FILE_BYTES", 5)
    await sandbox.fault("reader.documents", fail_next=1)

    with pytest.raises(Failure, match="blob_too_large"):
        await read(filed, b"%PDF-1.7")


async def test_a_file_that_is_gone_is_named(filed: Filed) -> None:
    with pytest.raises(Failure, match=f"no blob {filed.prefix}gone.pdf"):
        await read_invoice_file(FileName(file=f"{filed.prefix}gone.pdf"))


async def test_a_reader_that_is_out_of_order_is_worth_another_attempt(
    filed: Filed, sandbox: Sandbox
) -> None:
    await sandbox.fault("reader.documents", fail_next=1)

    with pytest.raises(Failure) as raised:
        await read(filed, write_invoice("acme", "1", 5))

    assert (raised.value.code, raised.value.retriable) == ("reader_unavailable", True)


async def test_dealing_twice_leaves_one_list_a_shard(filed: Filed) -> None:
    await filed.put({"1.pdf": b"", "2.pdf": b""})
    dealing = Dealing(prefix=filed.prefix, lanes=2, folder=f"{filed.name}-lists")

    first = await deal_invoice_files(dealing)
    second = await deal_invoice_files(dealing)

    assert second == first
    names = [
        json.loads(await read_blob(RESULTS, s["name"], 999))["files"] for s in second["shards"]
    ]
    assert names == [[f"{filed.prefix}1.pdf"], [f"{filed.prefix}2.pdf"]]
    await delete_blobs(Folder(container=RESULTS, prefix=dealing["folder"]))
