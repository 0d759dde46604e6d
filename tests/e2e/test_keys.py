"""Where keys are enforced, as in Azure, the commands of the docs work, and none without its key."""

import re
import shlex
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import pytest

from activities import clock
from durablehost.app.functions import FunctionTable
from durablehost.testing import ManualHub
from durablehost.testing.in_process import Answer
from tests.outside import Sandbox
from tests.source import ROOT

KEY = "a-function-key"
KEY_HEADER = "x-functions-key"
OUR_HOSTS = ("http://127.0.0.1:7071", "https://NAME.azurewebsites.net")
INVOICE = {"vendor": "acme", "number": "INV-1001", "order": "PO-1001", "amount_cents": 125_000}
PAYMENT = {
    "vendor": "acme",
    "number": "INV-1",
    "amount_cents": 250_000,
    "requested_by": "ada@example.com",
}


@dataclass(frozen=True)
class Request:
    method: str
    path: str
    headers: dict[str, str]
    body: str | None


def curls(page: str) -> Iterator[Request]:
    """The requests to the app that a page has as commands of curl."""
    text = (ROOT / page).read_text("utf-8").replace("\\\n", " ")
    for line in re.findall(r"^curl .*$", text, re.MULTILINE):
        words = shlex.split(line.replace("$KEY", KEY))
        options = dict(zip(words, words[1:], strict=False))
        headers = [after for word, after in zip(words, words[1:], strict=False) if word == "-H"]
        for host in OUR_HOSTS:
            for url in (word for word in words if word.startswith(f"{host}/")):
                body = options.get("-d")
                method = options.get("-X", "POST" if body else "GET")
                named = dict(header.split(": ", 1) for header in headers)
                yield Request(method, url.removeprefix(host), named, body)


@pytest.fixture
def hub(durable_app: FunctionTable, monkeypatch: pytest.MonkeyPatch) -> Iterator[ManualHub]:
    """A hub whose routes ask for a key; the app's own clock is the hub's."""
    manual = ManualHub(durable_app, function_key=KEY)
    monkeypatch.setattr(clock, "now", manual.clock.now)
    yield manual
    manual.shut()


async def send(hub: ManualHub, request: Request) -> Answer:
    return await hub.request(
        request.method, request.path, data=request.body, headers=request.headers
    )


@pytest.mark.parametrize("page", ["README.md", "docs/deploying.md"])
async def test_the_commands_of_a_page_start_work_and_poll_it_with_the_key_and_not_without(
    hub: ManualHub, sandbox: Sandbox, page: str
) -> None:
    requests = list(curls(page))
    assert [request.method for request in requests] == ["POST", "GET"]

    for request in requests:
        without = {name: text for name, text in request.headers.items() if name != KEY_HEADER}
        bare = Request(request.method, request.path, without, request.body)
        assert (await send(hub, bare)).status == 401
    started, polled = [await send(hub, request) for request in requests]

    assert (started.status, polled.status) == (202, 200)
    assert started.headers["Location"].endswith(requests[1].path)
    assert polled.json()["runtimeStatus"] == "Completed"


async def test_the_location_of_a_202_has_no_key_and_is_polled_with_the_header(
    hub: ManualHub, sandbox: Sandbox
) -> None:
    started = await hub.request("POST", f"/api/invoices?code={KEY}", json=INVOICE)
    location = started.headers["Location"].removeprefix("http://localhost:7071")

    assert KEY not in started.text + location
    assert (await hub.request("GET", location)).status == 401
    assert (await hub.request("GET", location, headers={KEY_HEADER: KEY})).status == 200


async def test_the_link_in_a_mail_lets_its_reader_in_by_the_key_that_it_has(
    hub: ManualHub, sandbox: Sandbox, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("LINK_KEY", KEY)
    asked: Any = await hub.request(
        "POST", "/api/approvals", json=PAYMENT, headers={KEY_HEADER: KEY}
    )
    assert asked.status == 202, asked.text

    [mail] = await sandbox.mails("lead@example.com")
    link = re.search(r"http://localhost:7071(/\S+)", mail["text"])

    assert link is not None
    assert (await hub.request("GET", link[1])).status == 200
    assert (await hub.request("GET", link[1].split("&code=")[0])).status == 401
