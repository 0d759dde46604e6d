"""Documents come by POST, by a blob's name, or as a blob; a poisonous one gets no further."""

import gzip
import io
import logging
import re
import tracemalloc
import zipfile
import zlib
from collections.abc import Iterator

import pytest
from azure.storage.blob import BlobServiceClient

from activities.blobs import INVOICES, write_blob
from activities.documents import QUARANTINE
from activities.pdf_files import MAX_PDF_BYTES
from durablehost.errors import FunctionFailed
from durablehost.testing import ManualHub
from tests.outside import Sandbox
from tests.scanning import (
    ARRIVED,
    arrived,
    files_of,
    id_of,
    name,
    quarantined,
    scanned,
    send,
    stored,
)

pytestmark = [pytest.mark.azurite, pytest.mark.usefixtures("storage")]

MEBIBYTE = 2**20


def a_zip() -> bytes:
    file = io.BytesIO()
    with zipfile.ZipFile(file, "w", zipfile.ZIP_DEFLATED) as archive:
        archive.writestr("invoice.pdf", bytes(MEBIBYTE))
    return file.getvalue()


def a_bomb() -> bytes:
    """A PDF of some hundred kilobytes that bursts its reader."""
    deflating = zlib.compressobj(9)
    first, again = [
        deflating.compress(bytes(MEBIBYTE)) + deflating.flush(zlib.Z_FULL_FLUSH) for _ in range(2)
    ]
    stream = first + 256 * again  # after a full flush the same bytes are deflated alike
    return b"%PDF-1.7\n1 0 obj <</Filter /FlateDecode>>\nstream\n" + stream + b"\nendstream\n"


NESTED = b"%PDF-1.7\n1 0 obj <</Filter [/FlateDecode /FlateDecode]>>\nstream\n"
POISON = [
    pytest.param(b"", "not_a_pdf", id="empty"),
    pytest.param(b"<html>%PDF-1.7", "not_a_pdf", id="html"),
    pytest.param(a_zip(), "not_a_pdf", id="zip"),
    pytest.param(gzip.compress(scanned()), "not_a_pdf", id="gzip"),
    pytest.param(a_bomb(), "inflates_too_much", id="bomb"),
    pytest.param(NESTED, "inflates_too_much", id="bomb in a bomb"),
    pytest.param(b"%PDF-" + bytes(MAX_PDF_BYTES), "document_too_large", id="large"),
]
NAMES = ["../x.pdf", "a/../../x.pdf", "a/..", "./x.pdf", "/x.pdf", "a//b.pdf", "a\\..\\x", "a\nb"]


@pytest.fixture
def blobs(azurite_connection: str) -> Iterator[BlobServiceClient]:
    with BlobServiceClient.from_connection_string(azurite_connection) as client:
        yield client


# By POST


@pytest.mark.parametrize(("content", "code"), POISON)
async def test_a_poisonous_file_is_refused_with_its_reason_and_starts_nothing(
    hub: ManualHub, sandbox: Sandbox, content: bytes, code: str
) -> None:
    answer = await send(hub, content)

    assert answer.status == (413 if code == "document_too_large" else 422)
    assert (answer.json()["code"], len(answer.json()["detail"]) > 20) == (code, True)
    assert hub.instances() == []
    assert await files_of(id_of(content)) == []


@pytest.mark.parametrize(
    ("headers", "code"),
    [
        ({"Content-Type": "text/plain"}, "unsupported_media_type"),
        ({"Content-Type": ""}, "unsupported_media_type"),
        ({"Content-Type": "multipart/form-data; boundary=x"}, "unsupported_media_type"),
        ({"Content-Encoding": "gzip"}, "unsupported_encoding"),
    ],
)
async def test_another_content_type_is_refused(
    hub: ManualHub, sandbox: Sandbox, headers: dict[str, str], code: str
) -> None:
    answer = await send(hub, scanned(), **headers)

    assert (answer.status, answer.json()["code"]) == (415, code)
    assert hub.instances() == []


async def test_a_content_type_may_have_parameters_and_capitals(
    hub: ManualHub, sandbox: Sandbox
) -> None:
    answer = await send(hub, scanned(), **{"Content-Type": "Application/PDF; version=1.7"})

    assert answer.status == 202


# By name


async def test_a_blob_given_by_name_is_processed_and_stays_in_its_container(
    hub: ManualHub, sandbox: Sandbox, blobs: BlobServiceClient
) -> None:
    content = scanned()
    await write_blob(INVOICES, "scans of today/ü 1.pdf", content)

    answer = await name(hub, "scans of today/ü 1.pdf")

    assert (answer.status, answer.json()["id"]) == (202, id_of(content))
    assert hub.output(id_of(content))["outcome"] == "posted"
    assert blobs.get_blob_client(INVOICES, "scans of today/ü 1.pdf").exists()


@pytest.mark.parametrize("unsafe", [*NAMES, "", "x" * 501])
async def test_a_name_that_could_leave_its_folder_is_refused(
    hub: ManualHub, sandbox: Sandbox, unsafe: str
) -> None:
    answer = await name(hub, unsafe)

    assert (answer.status, answer.json()["code"]) == (422, "invalid_body")
    assert [error["field"] for error in answer.json()["errors"]] == ["blob"]
    assert hub.instances() == []


async def test_a_blob_that_is_not_there_is_404(hub: ManualHub, sandbox: Sandbox) -> None:
    answer = await name(hub, "gone.pdf")

    assert (answer.status, answer.json()["code"]) == (404, "unknown_blob")


async def test_only_the_beginning_of_a_blob_of_two_hundred_megabytes_is_read(
    hub: ManualHub, sandbox: Sandbox, blobs: BlobServiceClient
) -> None:
    blob = blobs.get_blob_client(INVOICES, "huge.pdf")
    blob.create_page_blob(200 * MEBIBYTE)  # zeros, which nobody keeps
    blob.upload_page(b"%PDF-1.7".ljust(512, b"\n"), offset=0, length=512)

    tracemalloc.start()
    answer = await name(hub, "huge.pdf")
    _, most = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    blob.delete_blob()

    assert (answer.status, answer.json()["code"]) == (422, "blob_too_large")
    assert most < 20 * MEBIBYTE
    assert hub.instances() == []


# As a blob that arrives


async def test_a_blob_that_arrives_starts_an_intake(hub: ManualHub, sandbox: Sandbox) -> None:
    content = scanned()

    await hub.fire(ARRIVED, arrived("scans/today/one.pdf", content))

    assert hub.output(id_of(content))["outcome"] == "posted"
    assert await stored(id_of(content), "original.pdf") == content


async def test_the_same_file_under_another_name_or_by_another_way_is_the_same_document(
    hub: ManualHub, sandbox: Sandbox
) -> None:
    content = scanned()
    await write_blob(INVOICES, "one.pdf", content)

    for blob in ("scans/one.pdf", "scans/one.pdf", "scans/copy of one.pdf"):
        await hub.fire(ARRIVED, arrived(blob, content, etag=blob))
    named, sent = await name(hub, "one.pdf"), await send(hub, content)

    assert (named.status, sent.status) == (200, 200)
    assert {named.json()["id"], sent.json()["id"]} == {id_of(content)}
    assert len(await sandbox.postings()) == 1


@pytest.mark.parametrize(("content", "code"), POISON)
async def test_a_poisonous_file_that_arrives_goes_into_quarantine_with_its_reason(
    hub: ManualHub,
    sandbox: Sandbox,
    caplog: pytest.LogCaptureFixture,
    content: bytes,
    code: str,
) -> None:
    before = await quarantined()

    with caplog.at_level(logging.WARNING):
        await hub.fire(ARRIVED, arrived("scans/one.pdf", content, etag=code + str(len(content))))

    [folder] = await quarantined() - before
    reason = await stored(folder, "reason.json", QUARANTINE)
    assert (reason["code"], reason["blob"]) == (code, "scans/one.pdf")
    assert reason["bytes"] == len(content)
    assert f"[{code}]" in caplog.text
    if code == "document_too_large":
        assert await files_of(folder, QUARANTINE) == ["reason.json"]
    else:
        assert await stored(folder, "original.pdf", QUARANTINE) == content
    assert hub.instances() == []


@pytest.mark.parametrize("unsafe", NAMES)
async def test_a_blob_with_an_unsafe_name_goes_into_quarantine_under_another_name(
    hub: ManualHub, sandbox: Sandbox, unsafe: str
) -> None:
    before = await quarantined()

    await hub.fire(ARRIVED, arrived(f"scans/{unsafe}", scanned()))

    [folder] = await quarantined() - before
    assert re.fullmatch("arrival-[0-9a-f]{32}", folder)
    assert (await stored(folder, "reason.json", QUARANTINE))["code"] == "name_unsafe"
    assert hub.instances() == []


async def test_a_file_put_into_quarantine_twice_is_there_once(
    hub: ManualHub, sandbox: Sandbox
) -> None:
    before = await quarantined()

    for _ in range(2):
        await hub.fire(ARRIVED, arrived("scans/two.pdf", b"no pdf", etag="0x2"))
    assert len(await quarantined() - before) == 1

    await hub.fire(ARRIVED, arrived("scans/two.pdf", b"no pdf", etag="0x3"))
    assert len(await quarantined() - before) == 2


async def test_a_blob_of_two_hundred_megabytes_that_arrives_is_not_read(
    hub: ManualHub, sandbox: Sandbox
) -> None:
    before = await quarantined()
    blob = arrived("scans/huge.pdf", scanned(), length=200 * MEBIBYTE)

    await hub.fire(ARRIVED, blob)

    [folder] = await quarantined() - before
    assert (await stored(folder, "reason.json", QUARANTINE))["bytes"] == 200 * MEBIBYTE
    assert blob.read().startswith(b"%PDF-")


async def test_a_blob_without_a_length_is_read_only_up_to_the_limit(
    hub: ManualHub, sandbox: Sandbox
) -> None:
    content = b"%PDF-" + bytes(MAX_PDF_BYTES + 7)
    blob = arrived("scans/large.pdf", content, length=0, etag="0x7")

    await hub.fire(ARRIVED, blob)

    assert len(blob.read()) == len(content) - MAX_PDF_BYTES - 1
    assert hub.instances() == []


async def test_a_blob_that_arrives_while_no_storage_answers_is_left_for_another_attempt(
    hub: ManualHub, sandbox: Sandbox, monkeypatch: pytest.MonkeyPatch, azurite_connection: str
) -> None:
    content = scanned()
    nowhere = "DefaultEndpointsProtocol=http;AccountName=a;AccountKey=YQ==;"
    monkeypatch.setenv("AzureWebJobsStorage", f"{nowhere}BlobEndpoint=http://127.0.0.1:1/a")
    with pytest.raises(FunctionFailed, match="storage_unavailable"):
        await hub.fire(ARRIVED, arrived("scans/one.pdf", content))
    assert hub.instances() == []

    monkeypatch.setenv("AzureWebJobsStorage", azurite_connection)
    await hub.fire(ARRIVED, arrived("scans/one.pdf", content))

    assert hub.output(id_of(content))["outcome"] == "posted"
