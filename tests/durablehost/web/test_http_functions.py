"""The app's HTTP functions, called over HTTP: beyond what was recorded."""

import asyncio
import gzip
import io
import json
import logging
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import azure.durable_functions as df
import azure.functions as func
import pytest
from aiohttp import ClientSession, HttpVersion10
from azure.functions.decorators.function_app import FunctionRegister
from yarl import URL

import durablehost
from durablehost.settings import Settings
from tests.durablehost.web.serving import KEYS, RECORDED_APP, load_module, serving


@pytest.fixture(scope="module")
def recorded_app() -> FunctionRegister:
    app = load_module(RECORDED_APP / "function_app.py", "recorded_http_app").app
    assert isinstance(app, FunctionRegister)
    return app


@pytest.fixture
def app() -> df.DFApp:
    return df.DFApp(http_auth_level=func.AuthLevel.ANONYMOUS)


@pytest.fixture
def tell(app: df.DFApp) -> df.DFApp:
    """An app whose route `tell` says what it saw of a request."""

    @app.route(route="tell")
    def tell(req: func.HttpRequest) -> func.HttpResponse:
        seen = {
            "url": req.url,
            "headers": dict(req.headers),
            "params": dict(req.params),
            "length": len(req.get_body()),
            "body": req.get_body()[:100].hex(),
        }
        return func.HttpResponse(json.dumps(seen), mimetype="application/json")

    return app


def answering(app: df.DFApp, response: Any) -> df.DFApp:
    """The app with a route `answer` that returns this."""

    @app.route(route="answer")
    def answer(req: func.HttpRequest) -> func.HttpResponse:
        return response() if callable(response) else response  # type: ignore[no-any-return]

    return app


@pytest.mark.parametrize(
    ("path", "seen"),
    [
        ("/api/tell", "/api/tell"),
        ("/api/tell?a=%20b&c", "/api/tell?a=%20b&c"),
        ("/API/%74ell/", "/API/tell/"),
        ("/api/x/../tell", "/api/tell"),
    ],
)
async def test_a_function_sees_the_whole_url(tell: df.DFApp, path: str, seen: str) -> None:
    async with serving(tell) as call:
        assert json.loads((await call("GET", path)).body)["url"] == call.origin + seen


async def test_the_url_names_the_host_the_caller_named(tell: df.DFApp) -> None:
    async with serving(tell) as call:
        answer = await call("GET", "/api/tell", headers={"Host": "payables.example"})

    assert json.loads(answer.body)["url"] == "http://payables.example/api/tell"


async def test_header_names_are_lower_case_and_repeated_ones_joined(tell: df.DFApp) -> None:
    async with serving(tell) as call:
        answer = await call("GET", "/api/tell", headers=[("X-Probe", "a"), ("X-Probe", "b")])

    assert json.loads(answer.body)["headers"]["x-probe"] == "a,b"


async def test_parameters_ignore_case_and_those_without_a_value_are_left_out(
    tell: df.DFApp,
) -> None:
    async with serving(tell) as call:
        answer = await call("GET", "/api/tell?a=1&A=2&b=&c")

    assert json.loads(answer.body)["params"] == {"a": "1,2"}


async def test_a_body_arrives_byte_by_byte(tell: df.DFApp) -> None:
    async with serving(tell) as call:
        answer = await call("POST", "/api/tell", data=b"\xff\x00\xfe")

    assert json.loads(answer.body)["body"] == "ff00fe"


async def test_a_large_body_arrives_whole(tell: df.DFApp) -> None:
    async with serving(tell) as call:
        answer = await call("POST", "/api/tell", data=io.BytesIO(bytes(5_000_000)))

    assert json.loads(answer.body)["length"] == 5_000_000


@pytest.mark.parametrize(("length", "status"), [(1000, 200), (1001, 413)])
async def test_a_body_over_the_limit_is_413(tell: df.DFApp, length: int, status: int) -> None:
    async with serving(tell, Settings(body_limit=1000)) as call:
        assert (await call("POST", "/api/tell", data=bytes(length))).status == status


async def test_a_compressed_body_cannot_expand_over_the_limit(tell: df.DFApp) -> None:
    packed = gzip.compress(bytes(1_000_000))

    async with serving(tell, Settings(body_limit=100_000)) as call:
        headers = {"Content-Encoding": "gzip"}
        answer = await call("POST", "/api/tell", data=packed, headers=headers)

    assert (answer.status, answer.body) == (413, b"")


async def test_a_body_in_chunks_is_empty_to_the_function_and_the_log_says_so(
    tell: df.DFApp, caplog: pytest.LogCaptureFixture
) -> None:
    async def chunks() -> AsyncIterator[bytes]:
        yield b"abc"

    async with serving(tell) as call:
        answer = await call("POST", "/api/tell", data=chunks())

    assert json.loads(answer.body)["length"] == 0
    assert "the body came in chunks, without a Content-Length" in caplog.text


async def test_management_urls_have_the_origin_the_caller_used(
    recorded_app: FunctionRegister,
) -> None:
    async with serving(recorded_app) as call:
        told = json.loads((await call("GET", "/api/binding")).body)

    assert told["same"]
    assert told["payload"]["statusQueryGetUri"].startswith(f"{call.origin}/runtime/webhooks/")


async def test_async_and_sync_functions_answer_side_by_side(app: df.DFApp) -> None:
    begun = asyncio.Event()

    @app.route(route="waits")
    async def waits(req: func.HttpRequest) -> func.HttpResponse:
        await begun.wait()
        return func.HttpResponse("waited")

    @app.route(route="begins")
    async def begins(req: func.HttpRequest) -> func.HttpResponse:
        begun.set()
        return func.HttpResponse("begun")

    async with serving(app) as call:
        answers = await asyncio.gather(call("GET", "/api/waits"), call("GET", "/api/begins"))

    assert [answer.text for answer in answers] == ["waited", "begun"]


@pytest.mark.parametrize(
    ("response", "status", "body", "content_type"),
    [
        ("text", 200, b"text", "text/plain; charset=utf-8"),
        ('{"body": "b", "status": 201}', 201, b"b", "text/plain; charset=utf-8"),
        (func.HttpResponse(b"x", mimetype="image/png"), 200, b"x", "image/png"),
        (func.HttpResponse("x", status_code=418), 418, b"x", "text/plain; charset=utf-8"),
        (func.HttpResponse("x", headers={"Content-Type": "a/b"}), 200, b"x", "a/b"),
        (func.HttpResponse("x", headers={"Content-Length": "9"}), 200, b"x", None),
        (func.HttpResponse(status_code=304), 304, b"", None),
        (func.HttpResponse("lost", status_code=204), 204, b"", None),
    ],
)
async def test_what_a_function_returns_is_what_the_caller_gets(
    app: df.DFApp, response: Any, status: int, body: bytes, content_type: str | None
) -> None:
    async with serving(answering(app, response)) as call:
        answer = await call("GET", "/api/answer")

    assert (answer.status, answer.body) == (status, body)
    assert content_type in (None, answer.headers["Content-Type"])


async def test_a_large_answer_arrives_whole(app: df.DFApp) -> None:
    async with serving(answering(app, func.HttpResponse(bytes(5_000_000)))) as call:
        assert len((await call("GET", "/api/answer")).body) == 5_000_000


async def test_head_gets_the_headers_without_the_body(app: df.DFApp) -> None:
    async with serving(answering(app, func.HttpResponse("12345"))) as call:
        answer = await call("HEAD", "/api/answer")

    assert answer.body == b""
    assert not {"Content-Length", "Transfer-Encoding"} & set(answer.headers)


@pytest.mark.parametrize(
    ("response", "length", "encoding"),
    [
        (func.HttpResponse("12345"), None, "chunked"),
        (func.HttpResponse("12345", headers={"Content-Length": "5"}), "5", None),
        (func.HttpResponse(""), "0", None),
        (func.HttpResponse(status_code=204), None, None),
    ],
)
async def test_a_body_travels_in_chunks_unless_the_function_gave_its_length(
    app: df.DFApp, response: func.HttpResponse, length: str | None, encoding: str | None
) -> None:
    async with serving(answering(app, response)) as call:
        headers = (await call("GET", "/api/answer")).headers

    assert (headers.get("Content-Length"), headers.get("Transfer-Encoding")) == (length, encoding)


async def test_a_caller_that_speaks_http_1_0_gets_no_chunks(app: df.DFApp) -> None:
    async with (
        serving(answering(app, func.HttpResponse("12345"))) as call,
        ClientSession(version=HttpVersion10) as session,
        session.get(f"{call.origin}/api/answer") as answer,
    ):
        assert (await answer.text(), answer.headers["Content-Length"]) == ("12345", "5")


async def test_each_cookie_is_sent_in_the_form_of_aspnet(app: df.DFApp) -> None:
    def response() -> func.HttpResponse:
        answer = func.HttpResponse("x")
        for cookie in (
            "a=1; Path=/; HttpOnly; Secure; SameSite=Lax",
            "b=x=y; Max-Age=60; Expires=Wed, 09 Jun 2027 10:18:14 GMT; Domain=d.example",
        ):
            answer.headers.add("Set-Cookie", cookie)
        return answer

    async with serving(answering(app, response)) as call:
        answer = await call("GET", "/api/answer")

    assert answer.headers.getall("Set-Cookie") == [
        "a=1; domain=; path=/; secure; samesite=lax; httponly",
        "b=x%3Dy; expires=Wed, 09 Jun 2027 10:18:14 GMT; max-age=60; domain=d.example; path=",
    ]


@pytest.mark.parametrize(
    ("response", "says"),
    [
        (lambda: 1 / 0, "ZeroDivisionError: division by zero"),
        (None, "NoneType"),
        ({"a": 1}, "dict"),
        (func.HttpResponse("x", headers={"X-Name": "Jürgen"}), "Invalid non-ASCII"),
        (func.HttpResponse("x", headers={"X Name": "a"}), "Invalid non-ASCII or control"),
        (func.HttpResponse("x", status_code=99), "99 is no final HTTP status"),
        (func.HttpResponse("x", headers={"Set-Cookie": "a=1; Max-Age=soon"}), "cookie.maxAge"),
        (func.HttpResponse("x", headers={"Set-Cookie": "a=1; Expires=soon"}), "Unknown string"),
    ],
)
async def test_a_failure_is_an_empty_500_and_a_line_in_the_log(
    app: df.DFApp, response: Any, says: str, caplog: pytest.LogCaptureFixture
) -> None:
    async with serving(answering(app, response)) as call:
        answer = await call("GET", "/api/answer")

    assert (answer.status, answer.body) == (500, b"")
    assert "Content-Type" not in answer.headers
    assert says in caplog.text


async def test_the_log_names_the_line_that_raised_and_nothing_of_durablehost(
    app: df.DFApp, caplog: pytest.LogCaptureFixture
) -> None:
    def fail() -> None:
        raise ValueError("secret detail")

    async with serving(answering(app, fail)) as call:
        await call("GET", "/api/answer")

    [failure] = [record.getMessage() for record in caplog.records if record.levelname == "ERROR"]
    assert 'raise ValueError("secret detail")' in failure
    assert str(Path(durablehost.__file__).parent) not in failure


async def test_a_function_that_is_switched_off_is_404(tell: df.DFApp) -> None:
    async with serving(tell, Settings(disabled=frozenset({"tell"}))) as call:
        answer = await call("GET", "/api/tell")

    assert (answer.status, answer.body) == (404, b"")


@pytest.mark.parametrize(
    ("key", "status"), [(KEYS.function, 404), (KEYS.master, 200), ("wrong", 401)]
)
async def test_the_master_key_opens_a_function_that_is_switched_off(
    recorded_app: FunctionRegister, key: str, status: int
) -> None:
    settings = Settings(disabled=frozenset({"with_key"}))

    async with serving(recorded_app, settings, KEYS) as call:
        assert (await call("GET", f"/api/with-key?code={key}")).status == status


@pytest.mark.parametrize("path", ["/api/with-key", "/api/with-admin", "/api/with-key?code=x"])
async def test_no_key_is_needed_if_keys_are_not_enforced(
    recorded_app: FunctionRegister, path: str
) -> None:
    async with serving(recorded_app) as call:
        assert (await call("GET", path)).text == "let in"


@pytest.mark.parametrize(
    ("prefix", "path", "status"),
    [("", "/show", 200), ("", "/api/show", 404), ("v1/x", "/v1/x/show", 200)],
)
async def test_the_route_prefix_is_that_of_host_json(
    recorded_app: FunctionRegister, prefix: str, path: str, status: int
) -> None:
    async with serving(recorded_app, Settings(route_prefix=prefix)) as call:
        assert (await call("GET", path)).status == status


async def test_a_function_can_take_the_root_from_the_page(app: df.DFApp) -> None:
    @app.route(route="{*rest}")
    def everything(req: func.HttpRequest) -> func.HttpResponse:
        return func.HttpResponse("mine")

    async with serving(app, Settings(route_prefix="")) as call:
        assert (await call("GET", "/")).text == "mine"


@pytest.mark.parametrize("path", ["/nothing", "/api/%zz", "/api/%00", "/a" * 2000, "/%2e%2e/x"])
async def test_a_path_without_a_function_is_an_empty_404(tell: df.DFApp, path: str) -> None:
    async with serving(tell) as call:
        answer = await call("GET", path)

    assert (answer.status, answer.body) == (404, b"")
    assert "Content-Type" not in answer.headers


async def test_a_caller_who_hangs_up_leaves_the_next_one_unharmed(
    tell: df.DFApp, caplog: pytest.LogCaptureFixture
) -> None:
    async with serving(tell) as call:
        url = URL(call.origin)
        for sent in (b"", b"POST /api/tell HTTP/1.1\r\nHost: x\r\nContent-Length: 9\r\n\r\nab"):
            _, writer = await asyncio.open_connection(url.host, url.port)
            writer.write(sent)
            await writer.drain()
            writer.close()
            await writer.wait_closed()
        assert (await call("GET", "/api/tell")).status == 200

    assert [record for record in caplog.records if record.levelno >= logging.ERROR] == []
