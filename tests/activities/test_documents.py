"""What the reader makes of a document is kept whole, and travels in a form that stays small."""

from typing import Any
from uuid import uuid4

import pytest
from aiohttp import web
from aiohttp.test_utils import TestServer as Server

from activities import blobs
from activities.documents import Folder, load_original, read_document, store_original
from orchestration.failures import Failure
from tests.outside import Sandbox
from tests.scanning import scanned, stored

pytestmark = [pytest.mark.azurite, pytest.mark.usefixtures("storage")]


@pytest.fixture
def folder() -> str:
    return f"document:{uuid4()}"


async def test_a_file_that_was_stored_is_not_overwritten(folder: str) -> None:
    await store_original(folder, b"%PDF-first")
    await store_original(folder, b"%PDF-second")

    assert await load_original(folder) == b"%PDF-first"


async def test_what_is_read_keeps_a_confidence_for_each_field(folder: str) -> None:
    await store_original(folder, scanned("INV-1 ?0.5", kind="invoice ?0.9"))

    reading = await read_document(Folder(folder=folder))

    assert reading["refusal"] is None
    sure = {"vendor": 0.98, "number": 0.5, "order": 0.98, "amount_cents": 0.98, "kind": 0.9}
    assert reading["confidence"] == sure
    assert reading["fields"]["currency"] == "EUR"


async def test_a_field_as_long_as_a_page_is_cut(folder: str) -> None:
    await store_original(folder, scanned(vendor="a b " * 10_000))

    reading = await read_document(Folder(folder=folder))

    assert reading["fields"]["vendor"] == "a b " * 16
    extracted = await stored(folder, "extracted.json")
    assert len(extracted["fields"]["vendor"]["value"]) == 39_999


async def test_a_deleted_file_is_not_quarantined_as_unreadable(folder: str) -> None:
    with pytest.raises(Failure) as caught:
        await read_document(Folder(folder=folder))

    assert caught.value.code == "unknown_blob"


@pytest.mark.parametrize(
    ("status", "answer"),
    [
        (200, []),
        (200, {"fields": {"vendor": "acme"}}),
        (200, {"fields": {"vendor": {"value": "acme", "confidence": 7}}}),
        (200, {"fields": {"vendor": {"value": ["acme"], "confidence": 1}}}),
        (500, {}),
        (429, {}),
    ],
)
async def test_a_malformed_answer_of_the_reader_is_retried(
    folder: str, monkeypatch: pytest.MonkeyPatch, status: int, answer: Any
) -> None:
    await store_original(folder, scanned())

    failure = await failure_with(monkeypatch, folder, status, answer)

    assert (failure.code, failure.retriable) == ("reader_unavailable", True)


async def test_a_reader_that_refuses_access_does_not_quarantine_the_file(
    folder: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    await store_original(folder, scanned())

    failure = await failure_with(monkeypatch, folder, 401, {"code": "who_are_you"})

    assert (failure.code, failure.retriable) == ("who_are_you", False)


async def failure_with(
    monkeypatch: pytest.MonkeyPatch, folder: str, status: int, answer: Any
) -> Failure:
    """How reading fails with a reader that always answers so."""

    async def says(request: web.Request) -> web.Response:
        await request.read()
        return web.json_response(answer, status=status)

    app = web.Application(client_max_size=16 * 2**20)
    app.router.add_post("/documents", says)
    async with Server(app) as server:
        monkeypatch.setenv("READER_URL", str(server.make_url("/")))
        with pytest.raises(Failure) as caught:
            await read_document(Folder(folder=folder))
    return caught.value


async def test_a_file_of_megabytes_is_read_whole(folder: str, sandbox: Sandbox) -> None:
    content = scanned() + b"\n" * 4 * 2**20
    await store_original(folder, content)

    reading = await read_document(Folder(folder=folder))

    assert len(await blobs.read_blob("documents", f"{folder}/original.pdf", 2**23)) == len(content)
    assert reading["fields"]["vendor"] == "acme"
