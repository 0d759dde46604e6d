"""Files are divided among lanes; each is read, or the result says why it could not be."""

import json

import pytest

from activities import invoice_files
from activities.blobs import RESULTS, Folder, delete_blobs, read_blob
from activities.invoice_files import (
    BatchFiles,
    FileName,
    PageQuery,
    list_invoice_files,
    load_file_names,
    read_invoice_file,
)
from orchestration.failures import Failure
from sandbox.documents import write_invoice
from tests.filing import Filed
from tests.outside import Sandbox

pytestmark = pytest.mark.azurite


async def divided(filed: Filed, *widths: int) -> list[list[str]]:
    """The files of each lane, without their folder."""
    folder = f"{filed.name}-lists"
    batch = BatchFiles(prefix=filed.prefix, widths=list(widths), folder=folder)
    try:
        lanes = []
        for lane in (await list_invoice_files(batch))["lanes"]:
            names: list[str] = []
            while len(names) < lane["files"]:
                query = PageQuery(names=lane["names"], skip=len(names))
                page = (await load_file_names(query))["files"]
                assert 0 < len(page) <= invoice_files.FILES_A_PAGE
                names += page
            lanes.append([name.removeprefix(filed.prefix) for name in names])
        return lanes
    finally:
        await delete_blobs(Folder(container=RESULTS, prefix=f"{folder}/"))


async def read(filed: Filed, content: bytes) -> invoice_files.FileReading:
    await filed.put({"a.pdf": content})
    found: invoice_files.FileReading = await read_invoice_file(
        FileName(file=f"{filed.prefix}a.pdf")
    )
    return found


def code_of(reading: invoice_files.FileReading) -> str | None:
    return reading["failure"] and reading["failure"]["code"]


@pytest.mark.parametrize(
    ("files", "widths", "sizes"),
    [
        (0, [5, 5], []),
        (1, [1, 1, 1, 1], [1]),
        (4, [1, 1, 1, 1], [1, 1, 1, 1]),
        (9, [1, 1, 1, 1], [2, 2, 2, 3]),
        (9, [9], [9]),
        (14, [2, 2, 2, 1], [4, 4, 4, 2]),
    ],
)
async def test_files_are_divided_by_the_widths_of_the_lanes(
    filed: Filed, files: int, widths: list[int], sizes: list[int]
) -> None:
    names = [f"{n:02}.pdf" for n in range(files)]
    await filed.put(dict.fromkeys(names, b""))

    lanes = await divided(filed, *widths)

    assert [len(lane) for lane in lanes] == sizes
    assert sum(lanes, []) == names


async def test_a_lane_reads_its_list_in_pages(
    filed: Filed, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(invoice_files, "FILES_A_PAGE", 5)
    await filed.put({f"{n:02}.pdf": b"" for n in range(23)})

    assert await divided(filed, 1) == [[f"{n:02}.pdf" for n in range(23)]]


async def test_too_many_files_are_refused(filed: Filed, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(invoice_files, "MAX_FILES", 3)
    await filed.put({f"{n}.pdf": b"" for n in range(3)})
    assert len(await divided(filed, 1, 1, 1)) == 3

    await filed.put({"4.pdf": b""})
    with pytest.raises(Failure, match="over 3 files") as raised:
        await divided(filed, 1)

    assert (raised.value.code, raised.value.retriable) == ("too_many_files", False)


async def test_a_file_is_read(filed: Filed) -> None:
    content = write_invoice("acme", "INV-1 ?0.61", 125_005, currency="USD", order="PO-1")

    found = await read(filed, content)

    assert (found["failure"], found["try_again"]) == (None, False)
    assert found["invoice"] == {
        "file": f"{filed.prefix}a.pdf",
        "vendor": "acme",
        "number": "INV-1",
        "amount_cents": 125_005,
        "currency": "USD",
        "confidence": 0.61,
    }


async def test_an_invoice_without_a_currency_is_in_euros(filed: Filed) -> None:
    invoice = (await read(filed, write_invoice("acme", "1", 5)))["invoice"]

    assert invoice is not None
    assert invoice["currency"] == "EUR"


@pytest.mark.parametrize(
    ("content", "code"),
    [
        (b"", "not_a_document"),
        (b"PK\x03\x04", "not_a_document"),
        (b"%PDF-1.7\n\xff\xfe", "unreadable"),
        (write_invoice("acme", "1", 5, currency="euro"), "unreadable"),
    ],
)
async def test_a_file_without_an_invoice_has_a_code_and_is_not_tried_again(
    filed: Filed, content: bytes, code: str
) -> None:
    found = await read(filed, content)

    assert (found["invoice"], code_of(found), found["try_again"]) == (None, code, False)


async def test_a_file_over_the_limit_is_not_sent_to_the_reader(
    filed: Filed, sandbox: Sandbox, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(invoice_files, "MAX_FILE_BYTES", 5)
    await sandbox.fault("reader.documents", fail_next=1)

    assert code_of(await read(filed, b"%PDF-1.7")) == "blob_too_large"


async def test_a_deleted_file_is_named(filed: Filed) -> None:
    found = await read_invoice_file(FileName(file=f"{filed.prefix}gone.pdf"))

    assert f"no blob {filed.prefix}gone.pdf" in found["failure"]["message"]


async def test_a_file_is_tried_again_if_the_reader_was_out_of_order(
    filed: Filed, sandbox: Sandbox
) -> None:
    await sandbox.fault("reader.documents", fail_next=1)

    found = await read(filed, write_invoice("acme", "1", 5))

    assert (code_of(found), found["try_again"]) == ("reader_unavailable", True)


async def test_listing_twice_leaves_one_list_for_each_lane(filed: Filed) -> None:
    await filed.put({"1.pdf": b"", "2.pdf": b""})
    batch = BatchFiles(prefix=filed.prefix, widths=[1, 1], folder=f"{filed.name}-lists")

    first = await list_invoice_files(batch)
    second = await list_invoice_files(batch)

    assert second == first
    names = [
        json.loads(await read_blob(RESULTS, lane["names"]["name"], 999)) for lane in second["lanes"]
    ]
    assert names == [[f"{filed.prefix}1.pdf"], [f"{filed.prefix}2.pdf"]]
    await delete_blobs(Folder(container=RESULTS, prefix=batch["folder"]))
