"""What `call_http` sends, and what it makes of the answer."""

import gzip
import json
from collections.abc import AsyncIterator, Awaitable, Callable
from typing import Any

import azure.durable_functions as df
import pytest
from aiohttp import web
from aiohttp.test_utils import TestServer

from durablehost.calling.http_activity import HttpCaller, proxy_for
from durablehost.testing import ManualHub

Get = Callable[[], Awaitable[dict[str, Any]]]


class Seen:
    """A server that notes the headers of each request, sets a cookie and compresses."""

    def __init__(self) -> None:
        self.headers: list[dict[str, str]] = []

    async def answer(self, request: web.Request) -> web.Response:
        self.headers.append({name.lower(): value for name, value in request.headers.items()})
        headers = {"Set-Cookie": "kept=yes", "Content-Encoding": "gzip"}
        return web.Response(body=gzip.compress(b"text"), headers=headers)


@pytest.fixture
def seen() -> Seen:
    return Seen()


@pytest.fixture
async def get(seen: Seen) -> AsyncIterator[Get]:
    app = web.Application()
    app.router.add_get("/", seen.answer)
    call = HttpCaller()
    async with TestServer(app) as server:

        async def get() -> dict[str, Any]:
            request = {"method": "GET", "uri": str(server.make_url("/")), "headers": {"X": "1"}}
            answer: dict[str, Any] = json.loads(await call(json.dumps(request)))
            return answer

        yield get
        await call.close()


async def test_a_request_has_no_headers_but_those_of_the_orchestrator(seen: Seen, get: Get) -> None:
    await get()

    [headers] = seen.headers
    assert headers.keys() == {"host", "x"}


async def test_no_cookie_is_kept_for_the_next_request(seen: Seen, get: Get) -> None:
    await get()
    await get()

    assert "cookie" not in seen.headers[1]


async def test_a_compressed_answer_stays_compressed(get: Get) -> None:
    answer = await get()

    assert answer["content"].encode(errors="replace").startswith(b"\x1f")


@pytest.mark.parametrize(
    ("url", "proxy"),
    [
        ("http://tax.example/", "http://proxy.example:3128"),
        ("https://tax.example/", "http://secure.example:3128"),
        ("http://inside.example/", None),
        ("http://inside.example:8080/", None),
        ("http://localhost:7071/api/x", None),
        ("http://127.0.0.1:7071/api/x", None),
    ],
)
def test_the_proxies_of_the_environment_are_used(
    monkeypatch: pytest.MonkeyPatch, url: str, proxy: str | None
) -> None:
    for name in ("http_proxy", "https_proxy", "no_proxy"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv("HTTP_PROXY", "http://proxy.example:3128")
    monkeypatch.setenv("HTTPS_PROXY", "http://secure.example:3128")
    monkeypatch.setenv("NO_PROXY", "inside.example")

    assert proxy_for(url) == proxy


def app_that_calls_with(source):
    app = df.DFApp()

    @app.orchestration_trigger(context_name="context")
    def probe(context):
        try:
            yield context.call_http("GET", "http://127.0.0.1:9/", token_source=source)
        except Exception as error:
            return str(error).splitlines()[0]

    return app


async def test_a_call_with_a_token_source_says_that_there_is_no_identity_to_ask():
    app = app_that_calls_with(df.ManagedIdentityTokenSource("api://tax-office"))

    async with ManualHub(app) as hub:
        hub.let_http_through("http://127.0.0.1:9/")
        probe = await hub.start("probe")

        said = "no managed identity here to get a token for 'api://tax-office' from"
        assert hub.output(probe).strip() == said
