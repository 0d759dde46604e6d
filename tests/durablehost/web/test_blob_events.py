"""What Event Grid is answered, and which function is told of which blobs."""

import json
from collections.abc import AsyncIterator, Sequence
from typing import Any

import azure.functions as func
import pytest
import pytest_asyncio
from aiohttp.test_utils import TestClient, TestServer

from durablehost.app.loading import index_app
from durablehost.calling.invoker import Invoker
from durablehost.errors import BadRequest
from durablehost.settings import Settings
from durablehost.web.app import public_app
from durablehost.web.blob_events import BlobEvents, blob_at
from durablehost.web.http_functions import HttpFunctions
from tests.durablehost.web.serving import KEYS

PATH = "/runtime/webhooks/blobs?functionName=Host.Functions.on_blob&code="
URL = "https://account.blob.core.windows.net/scans/2026/a%20b.pdf"
VALIDATION = [{"eventType": "…", "data": {"validationCode": "512d38b6"}}]
CREATED = [{"eventType": "Microsoft.Storage.BlobCreated", "data": {"url": URL}}]

Told = list[tuple[str, list[tuple[str, str]]]]


@pytest.fixture
def told() -> Told:
    return []


@pytest_asyncio.fixture
async def client(told: Told) -> AsyncIterator[TestClient[Any, Any]]:
    """The public front of an app without functions, with keys, and with its webhook for blobs."""

    def note(function: str, blobs: Sequence[tuple[str, str]]) -> None:
        told.append((function, list(blobs)))

    invoker = Invoker(threads=1, own_loop=False)
    settings = Settings()
    functions = HttpFunctions(index_app(func.FunctionApp()), settings, invoker, lambda *_: "", KEYS)
    no_hub: Any = None  # no request of these tests is for it
    front = public_app(settings, KEYS, no_hub, functions, blob_events=BlobEvents(note))
    async with TestClient(TestServer(front)) as client:
        yield client
    await invoker.close()


async def test_half_a_character_in_the_name_of_a_blob_is_replaced(
    client: TestClient[Any, Any], told: Told
) -> None:
    event = {"data": {"url": "https://account.blob.core.windows.net/scans/a\ud800.pdf"}}

    answer = await client.post(
        PATH + KEYS.blobs, json=[event], headers={"aeg-event-type": "Notification"}
    )

    assert answer.status == 202
    assert told == [("Host.Functions.on_blob", [("scans", "a\ufffd.pdf")])]


async def test_a_subscription_is_confirmed_with_its_code(
    client: TestClient[Any, Any], told: Told
) -> None:
    headers = {"aeg-event-type": "SubscriptionValidation"}
    answer = await client.post(PATH + KEYS.blobs, json=VALIDATION, headers=headers)

    assert answer.status == 200
    assert await answer.json() == {"validationResponse": "512d38b6"}
    assert told == []


async def test_a_notification_tells_the_function_of_its_blobs(
    client: TestClient[Any, Any], told: Told
) -> None:
    headers = {"aeg-event-type": "Notification"}
    answer = await client.post(PATH + KEYS.blobs, json=CREATED * 2, headers=headers)

    assert (answer.status, await answer.read()) == (202, b"")
    assert told == [("Host.Functions.on_blob", [("scans", "2026/a b.pdf")] * 2)]


@pytest.mark.parametrize("key", ["", "wrong", KEYS.function, KEYS.durable])
async def test_only_the_key_of_the_blobs_extension_opens_the_webhook(
    client: TestClient[Any, Any], told: Told, key: str
) -> None:
    headers = {"aeg-event-type": "Notification"}
    answer = await client.post(PATH + key, json=CREATED, headers=headers)

    assert (answer.status, told) == (401, [])


@pytest.mark.parametrize(
    ("kind", "body"),
    [
        ("", json.dumps(CREATED)),
        ("Other", json.dumps(CREATED)),
        ("Notification", "no JSON"),
        ("Notification", '[{"data": {}}]'),
        ("Notification", '[{"data": {"url": "https://account.blob.core.windows.net/scans"}}]'),
        ("SubscriptionValidation", "[]"),
    ],
)
async def test_what_event_grid_does_not_send_is_a_400(
    client: TestClient[Any, Any], told: Told, kind: str, body: str
) -> None:
    answer = await client.post(PATH + KEYS.blobs, data=body, headers={"aeg-event-type": kind})

    assert (answer.status, told) == (400, [])


@pytest.mark.parametrize(
    ("url", "blob"),
    [
        (URL, ("scans", "2026/a b.pdf")),
        ("http://127.0.0.1:10000/devstoreaccount1/scans/a.pdf?snapshot=x", ("scans", "a.pdf")),
        ("http://localhost:10000/devstoreaccount1/scans/%C3%BC", ("scans", "ü")),
    ],
)
def test_the_url_of_a_blob_has_the_account_in_its_host_or_in_its_path(
    url: str, blob: tuple[str, str]
) -> None:
    assert blob_at(url) == blob


def test_the_url_of_a_container_is_refused() -> None:
    with pytest.raises(BadRequest, match="is not the URL of a blob"):
        blob_at("http://127.0.0.1:10000/devstoreaccount1/scans")
