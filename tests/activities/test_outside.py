"""What a party outside answers becomes a value, or a Failure that says whether to ask again."""

from collections.abc import AsyncIterator, Awaitable, Callable
from datetime import timedelta

import pytest
import pytest_asyncio
from aiohttp import web
from aiohttp.test_utils import TestServer as Server

from activities import limits, outside
from activities.outside import ask
from orchestration.failures import Failure

Says = Callable[[web.Request], Awaitable[web.StreamResponse]]
Bank = Callable[[Says], Awaitable[None]]


@pytest_asyncio.fixture
async def bank(monkeypatch: pytest.MonkeyPatch) -> AsyncIterator[Bank]:
    """Gives the bank something to say to every request."""
    servers = []

    async def speak(says: Says) -> None:
        app = web.Application()
        app.router.add_route("*", "/{rest:.*}", says)
        server = Server(app)
        await server.start_server()
        servers.append(server)
        monkeypatch.setenv("BANK_URL", str(server.make_url("/bank")))

    yield speak
    await outside.close()
    for server in servers:
        await server.close()


def saying(status: int, body: object) -> Says:
    async def says(_: web.Request) -> web.Response:
        return web.json_response(body, status=status)

    return says


async def failure(within: timedelta = outside.TIMEOUT) -> Failure:
    with pytest.raises(Failure) as caught:
        await ask("bank", "POST", "/debits", json={}, within=within)
    return caught.value


async def test_the_json_of_the_answer_is_returned(bank: Bank) -> None:
    await bank(saying(201, {"id": "debit-1"}))

    assert await ask("bank", "POST", "/debits", json={}) == {"id": "debit-1"}


async def test_a_file_of_megabytes_arrives_whole(bank: Bank) -> None:
    async def counts(request: web.Request) -> web.Response:
        length = 0
        async for part in request.content.iter_any():
            length += len(part)
        return web.json_response([request.content_length, length])

    await bank(counts)
    size = 3 * 2**20

    assert await ask("bank", "POST", "/scans", data=bytes(size)) == [size, size]


async def test_an_empty_answer_is_none(bank: Bank) -> None:
    async def says(_: web.Request) -> web.Response:
        return web.Response(status=204)

    await bank(says)

    assert await ask("bank", "DELETE", "/debits/1") is None


async def test_path_body_and_key_arrive(bank: Bank) -> None:
    seen = []

    async def says(request: web.Request) -> web.Response:
        seen.append((request.path, await request.json(), request.headers["Idempotency-Key"]))
        return web.json_response({})

    await bank(says)
    await ask("bank", "POST", "/debits", json={"cents": 5}, key="payment:1:debit")

    assert seen == [("/bank/debits", {"cents": 5}, "payment:1:debit")]


async def test_a_refusal_keeps_the_code_in_the_answer_and_is_not_retriable(
    bank: Bank,
) -> None:
    await bank(saying(409, {"code": "account_frozen", "message": "account a is frozen"}))

    refused = await failure()

    assert refused.as_data() == {"code": "account_frozen", "message": "account a is frozen"}
    assert not refused.retriable


@pytest.mark.parametrize("body", [None, [], "no", {}, {"code": "Not A Code"}, {"code": 5}])
async def test_a_refusal_without_a_code_gets_one(bank: Bank, body: object) -> None:
    await bank(saying(400, body))

    assert (await failure()).as_data() == {
        "code": "bank_refused",
        "message": "the bank answered 400",
    }


@pytest.mark.parametrize("status", [408, 425, 429, 500, 502, 503, 504])
async def test_an_outage_is_retriable(bank: Bank, status: int) -> None:
    await bank(saying(status, {"code": "out_of_order", "message": "secret details"}))

    down = await failure()

    assert (down.code, down.retriable) == ("bank_unavailable", True)
    assert "secret" not in down.message


async def test_an_answer_that_is_not_json_is_retriable(bank: Bank) -> None:
    async def says(_: web.Request) -> web.Response:
        return web.Response(text="<html>", content_type="text/html")

    await bank(says)

    assert (await failure()).retriable


async def test_a_broken_connection_is_retriable(bank: Bank) -> None:
    async def says(request: web.Request) -> web.Response:
        assert request.transport is not None
        request.transport.abort()
        return web.Response()

    await bank(says)

    assert (await failure()).retriable


async def test_a_request_without_an_answer_times_out(bank: Bank) -> None:
    async def says(request: web.Request) -> web.StreamResponse:
        answer = web.StreamResponse()
        await answer.prepare(request)
        await answer.write(b"{")
        await request.content.read()
        assert request.transport is not None
        while not request.transport.is_closing():
            await answer.write(b" ")
        return answer

    await bank(says)

    assert (await failure(within=timedelta(milliseconds=50))).retriable


@pytest.mark.parametrize("status", [301, 302, 303, 307, 308])
async def test_a_redirect_is_not_followed_and_names_the_setting(bank: Bank, status: int) -> None:
    paths = []

    async def says(request: web.Request) -> web.Response:
        paths.append(request.path)
        return web.Response(status=status, headers={"Location": "/elsewhere"})

    await bank(says)
    misdirected = await failure()

    assert paths == ["/bank/debits"]
    assert (misdirected.code, misdirected.retriable) == ("bank_misdirected", False)
    assert "BANK_URL" in misdirected.message


def streaming(size: int, **headers: str) -> Says:
    """A JSON text of so many bytes, sent in parts."""

    async def says(request: web.Request) -> web.StreamResponse:
        answer = web.StreamResponse()
        if headers.get("compress"):
            answer.enable_compression()
        await answer.prepare(request)
        await answer.write(b'"')
        left = size - 2
        while left and request.transport and not request.transport.is_closing():
            part = min(left, 2**20)
            await answer.write(b"x" * part)
            left -= part
        await answer.write(b'"')
        return answer

    return says


@pytest.mark.parametrize("compress", ["", "yes"])
async def test_an_answer_over_the_limit_is_not_read_to_its_end(bank: Bank, compress: str) -> None:
    await bank(streaming(limits.ANSWER_BYTES.most + 1, compress=compress))

    too_large = await failure()

    assert (too_large.code, too_large.retriable) == ("answer_too_large", False)


async def test_an_answer_of_exactly_the_limit_is_read(bank: Bank) -> None:
    await bank(streaming(limits.ANSWER_BYTES.most))

    assert len(await ask("bank", "GET")) == limits.ANSWER_BYTES.most - 2


async def test_a_refused_connection_is_retriable(
    monkeypatch: pytest.MonkeyPatch, unused_tcp_port: int
) -> None:
    monkeypatch.setenv("BANK_URL", f"http://127.0.0.1:{unused_tcp_port}")

    down = await failure()
    await outside.close()

    assert down.retriable


async def test_a_missing_address_names_the_setting(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("BANK_URL", raising=False)

    missing = await failure()

    assert (missing.code, missing.retriable) == ("not_configured", False)
    assert "BANK_URL" in missing.message
