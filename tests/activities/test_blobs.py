"""Blobs are written, read and deleted whole, and every failure of the storage says what it is."""

import re
from collections.abc import AsyncIterator
from datetime import UTC, datetime, timedelta
from uuid import uuid4

import pytest
import pytest_asyncio
from aiohttp import web
from aiohttp.test_utils import TestServer as Server

from activities import storage_account
from activities.blobs import (
    RESULTS,
    BlobRef,
    Folder,
    blob_names,
    delete_blobs,
    read_blob,
    require_storage,
    write_blob,
)
from orchestration.failures import Failure

KEY = "a" * 86 + "=="


@pytest_asyncio.fixture(autouse=True)
async def _no_settings(monkeypatch: pytest.MonkeyPatch) -> AsyncIterator[None]:
    for name in ("INVOICES", "INVOICES__blobServiceUri", "AzureWebJobsStorage"):
        monkeypatch.delenv(name, raising=False)
    yield
    await storage_account.close()


@pytest.fixture
def folder(azurite_connection: str, monkeypatch: pytest.MonkeyPatch) -> str:
    """A folder that no other test writes to, in the storage that the settings name."""
    monkeypatch.setenv("AzureWebJobsStorage", azurite_connection)
    return f"test-{uuid4()}/"


@pytest.mark.azurite
@pytest.mark.parametrize("content", [b"", b"%PDF-1.7\n", bytes(range(256)) * 20_000])
async def test_a_written_blob_can_be_read(folder: str, content: bytes) -> None:
    ref = await write_blob(RESULTS, f"{folder}a b/ü?#%.json", content)

    assert ref == BlobRef(container=RESULTS, name=f"{folder}a b/ü?#%.json", bytes=len(content))
    assert await read_blob(ref["container"], ref["name"], most_bytes=6_000_000) == content


@pytest.mark.azurite
async def test_a_blob_that_is_written_twice_exists_once(folder: str) -> None:
    await write_blob(RESULTS, f"{folder}a", b"first")
    await write_blob(RESULTS, f"{folder}a", b"second")

    assert await blob_names(RESULTS, folder, 10) == [f"{folder}a"]
    assert await read_blob(RESULTS, f"{folder}a", 100) == b"second"


@pytest.mark.azurite
async def test_a_container_is_made_when_it_is_first_written_to(folder: str) -> None:
    container = f"test-{uuid4()}"

    ref = await write_blob(container, "a", b"1")

    assert await read_blob(container, ref["name"], 1) == b"1"


@pytest.mark.azurite
async def test_names_are_listed_in_order_up_to_the_requested_number(folder: str) -> None:
    for name in ("c", "a", "b/d"):
        await write_blob(RESULTS, folder + name, b"1")

    assert await blob_names(RESULTS, folder, 10) == [folder + name for name in ("a", "b/d", "c")]
    assert await blob_names(RESULTS, folder, 2) == [folder + "a", folder + "b/d"]
    assert await blob_names(RESULTS, f"{folder}z", 10) == []


@pytest.mark.azurite
async def test_a_blob_over_the_limit_is_refused(folder: str) -> None:
    await write_blob(RESULTS, f"{folder}a", b"12345")

    assert await read_blob(RESULTS, f"{folder}a", 5) == b"12345"
    with pytest.raises(Failure, match="has 5 bytes: at most 4 are read"):
        await read_blob(RESULTS, f"{folder}a", 4)


@pytest.mark.azurite
@pytest.mark.parametrize("container", [RESULTS, "test-nowhere"])
async def test_a_blob_that_is_not_there_is_named(folder: str, container: str) -> None:
    await write_blob(RESULTS, f"{folder}other", b"")

    with pytest.raises(Failure, match=f"no blob {folder}a") as raised:
        await read_blob(container, f"{folder}a", 5)

    assert (raised.value.code, raised.value.retriable) == ("unknown_blob", False)


@pytest.mark.azurite
async def test_names_in_a_container_that_is_not_there_are_a_failure(folder: str) -> None:
    with pytest.raises(Failure, match="no container test-nowhere"):
        await blob_names("test-nowhere", "", 5)


@pytest.mark.azurite
@pytest.mark.parametrize("listed", [1000, 30])
async def test_a_folder_is_deleted_and_nothing_beside_it(
    folder: str, listed: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("activities.blobs._LISTED_AT_ONCE", listed)
    for number in range(45):
        await write_blob(RESULTS, f"{folder}a/{number}", b"1")
    await write_blob(RESULTS, f"{folder}b", b"1")

    for _ in "twice":
        await delete_blobs(Folder(container=RESULTS, prefix=f"{folder}a/"))

    assert await blob_names(RESULTS, folder, 10) == [f"{folder}b"]


@pytest.mark.azurite
async def test_deleting_without_a_container_does_nothing(folder: str) -> None:
    await delete_blobs(Folder(container="test-nowhere", prefix=""))


@pytest.mark.azurite
async def test_a_storage_that_answers_is_found_before_anything_was_written(folder: str) -> None:
    await require_storage()


@pytest.mark.azurite
async def test_the_app_s_own_setting_goes_before_the_host_s(
    folder: str, azurite_connection: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("AzureWebJobsStorage", "nonsense")
    monkeypatch.setenv("INVOICES", azurite_connection)

    await require_storage()


async def test_a_storage_that_does_not_answer_is_reported_at_once(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setenv("AzureWebJobsStorage", connection_to("http://127.0.0.1:1"))

    with pytest.raises(Failure, match="does not answer: .* Node 18") as raised:
        await require_storage()

    assert (raised.value.code, raised.value.retriable) == ("storage_unavailable", True)
    assert "127.0.0.1" not in raised.value.message


@pytest.mark.parametrize(
    ("setting", "words"),
    [("", "AzureWebJobsStorage is missing"), ("nonsense", "is not a connection string")],
)
async def test_a_setting_that_leads_nowhere_is_named(
    monkeypatch: pytest.MonkeyPatch, setting: str, words: str
) -> None:
    monkeypatch.setenv("AzureWebJobsStorage", setting)

    with pytest.raises(Failure, match=words) as raised:
        await require_storage()

    assert (raised.value.code, raised.value.retriable) == ("not_configured", False)


@pytest.mark.parametrize(
    ("status", "code", "retriable"),
    [
        (500, "storage_unavailable", True),
        (503, "storage_unavailable", True),
        (409, "storage_unavailable", True),
        (429, "storage_unavailable", True),
        (403, "storage_refused", False),
        (401, "storage_refused", False),
        (400, "storage_refused", False),
        (404, "unknown_blob", False),
    ],
)
async def test_an_answer_of_the_storage_has_a_code(
    monkeypatch: pytest.MonkeyPatch, status: int, code: str, retriable: bool
) -> None:
    async def answer(_: web.Request) -> web.Response:
        return web.Response(status=status)

    app = web.Application()
    app.router.add_route("*", "/{path:.*}", answer)
    async with Server(app) as server:
        monkeypatch.setenv("AzureWebJobsStorage", connection_to(str(server.make_url(""))))

        with pytest.raises(Failure) as raised:
            await read_blob(RESULTS, "a", 5)

    assert (raised.value.code, raised.value.retriable) == (code, retriable)
    assert KEY not in raised.value.message


async def test_in_azure_the_app_s_identity_is_asked_for_a_token_for_the_storage(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    asked = []

    async def give_token(request: web.Request) -> web.Response:
        asked.append((request.query["resource"], request.query.get("client_id")))
        expires = int((datetime.now(UTC) + timedelta(hours=1)).timestamp())
        token = {"access_token": "t", "expires_on": str(expires), "token_type": "Bearer"}
        return web.json_response(token | {"resource": request.query["resource"]})

    app = web.Application()
    app.router.add_get("/token", give_token)
    async with Server(app) as server:
        monkeypatch.setenv("IDENTITY_ENDPOINT", str(server.make_url("/token")))
        monkeypatch.setenv("IDENTITY_HEADER", "secret")
        monkeypatch.setenv("INVOICES__blobServiceUri", "https://127.0.0.1:1")
        monkeypatch.setenv("INVOICES__clientId", "identity-7")

        with pytest.raises(Failure) as raised:
            await require_storage()

    assert raised.value.code == "storage_unavailable"
    [(resource, client)] = asked
    assert re.fullmatch("https://storage.azure.com/?", resource)
    assert client == "identity-7"


async def test_in_azure_the_name_of_the_account_is_enough(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("AzureWebJobsStorage__accountName", "payables")

    assert (await storage_account.blob_service()).url == "https://payables.blob.core.windows.net/"


def connection_to(address: str) -> str:
    key = f"AccountName=a;AccountKey={KEY}"
    return f"DefaultEndpointsProtocol=http;{key};BlobEndpoint={address.rstrip('/')}/a"
