"""Answers and calls of other systems belong to the trace of the request."""

import json

import azure.functions as func
import pytest
from aiohttp import web
from aiohttp.test_utils import TestServer as Server
from opentelemetry.trace import use_span

from activities import outside
from http_api.answers import accepted, json_answer
from http_api.problems import Problem
from tests.described import SPAN, TRACE

REQUEST = func.HttpRequest(method="POST", url="https://payables.example/api/invoices", body=b"")


def test_every_202_and_every_problem_says_its_trace() -> None:
    with use_span(SPAN):
        answers = [
            accepted(REQUEST, "intake:acme:INV-1"),
            json_answer({"key": "invoices"}, 202),
            Problem(404, "unknown_operation", "operation 'x' is unknown").answer(),
        ]

    assert {json.loads(answer.get_body())["traceId"] for answer in answers} == {TRACE}


def test_without_telemetry_no_answer_says_a_trace() -> None:
    answers = [
        accepted(REQUEST, "intake:acme:INV-1"),
        Problem(404, "unknown_operation", "operation 'x' is unknown").answer(),
    ]

    assert [answer for answer in answers if b"traceId" in answer.get_body()] == []


async def test_a_call_of_another_system_goes_on_with_the_trace_of_its_activity(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    received: list[str | None] = []

    async def receive(request: web.Request) -> web.Response:
        received.append(request.headers.get("traceparent"))
        return web.json_response({})

    app = web.Application()
    app.router.add_post("/bank/debits", receive)
    async with Server(app) as server:
        monkeypatch.setenv("BANK_URL", str(server.make_url("/bank")))
        await outside.ask("bank", "POST", "/debits")
        with use_span(SPAN):
            await outside.ask("bank", "POST", "/debits")
        await outside.close()

    without, within = received
    assert without is None
    assert within is not None
    assert within.split("-")[1] == TRACE
