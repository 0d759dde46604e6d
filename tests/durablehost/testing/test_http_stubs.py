"""`call_http` is answered by the test, and never reaches the network unless the test says so."""

import azure.durable_functions as df
import azure.functions as func
import pytest
from aiohttp import web
from aiohttp.test_utils import TestServer as Server

from durablehost.testing import HttpAnswer, HttpRequest, ManualHub, NotStubbed

URL = "https://tax.example/vat/DE1?year=2026"

app = df.DFApp(http_auth_level=func.AuthLevel.ANONYMOUS)


@app.orchestration_trigger(context_name="context", input_type=str)
def asks(context):
    answer = yield context.call_http("GET", context.get_input())
    return answer


@app.orchestration_trigger(context_name="context")
def asks_thrice(context):
    statuses = []
    for _ in range(3):
        answer = yield context.call_http("GET", URL)
        statuses.append(answer["statusCode"])
    return statuses


@app.orchestration_trigger(context_name="context")
def sends(context):
    answer = yield context.call_http("POST", URL, {"vat": "DE1"}, {"X-Key": "k"})
    return answer["content"]


@app.orchestration_trigger(context_name="context")
def catches(context):
    try:
        yield context.call_http("GET", URL)
    except Exception as error:  # the SDK raises nothing narrower
        return str(error).splitlines()[0]


@app.route(route="rates/{currency}")
def rates(req):
    return func.HttpResponse(f"{req.route_params['currency']} by {req.method}", status_code=203)


@pytest.fixture
def durable_app() -> df.DFApp:
    return app


async def test_a_call_gets_the_answer_of_the_test_as_the_host_gives_it(hub: ManualHub) -> None:
    headers = {"X-Count": "3", "Content-Type": "application/json"}
    hub.answer_http("GET", URL, status=203, json={"valid": True}, headers=headers)

    answer = await hub.result(await hub.start("asks", URL))

    # The host shows no headers of the content.
    assert answer == {
        "statusCode": 203,
        "headers": {"X-Count": "3"},
        "content": '{"valid":true}',
    }


async def test_answers_are_given_in_order_and_the_last_one_again(hub: ManualHub) -> None:
    hub.answer_http("GET", URL, status=503)
    hub.answer_http("GET", URL, text="now")

    assert await hub.result(await hub.start("asks_thrice")) == [503, 200, 200]


async def test_a_star_matches_any_text_and_the_later_pattern_wins(hub: ManualHub) -> None:
    hub.answer_http("*", "https://tax.example/*", status=404)
    hub.answer_http("GET", "https://tax.example/vat/*?year=2026", text="found")

    found = await hub.result(await hub.start("asks", URL))
    other = await hub.result(await hub.start("asks", URL + "7"))

    assert (found["content"], other["statusCode"]) == ("found", 404)


async def test_a_function_can_answer_by_the_request(hub: ManualHub) -> None:
    async def answer(request: HttpRequest) -> HttpAnswer:
        return HttpAnswer(json=[request.json(), request.headers["X-Key"]])

    hub.answer_http("POST", URL, answer)

    assert await hub.result(await hub.start("sends")) == '[{"vat":"DE1"},"k"]'


async def test_a_function_that_raises_oserror_is_a_server_that_does_not_answer(
    hub: ManualHub,
) -> None:
    def refuse(request: HttpRequest) -> HttpAnswer:
        raise ConnectionError("Connection refused (tax.example:443)")

    hub.answer_http("GET", URL, refuse)

    said = await hub.result(await hub.start("catches"))
    assert said.strip() == "Connection refused (tax.example:443)"
    assert hub.calls()[0].error == "ConnectionError: Connection refused (tax.example:443)"


async def test_a_call_without_an_answer_is_refused_with_the_line_to_write(hub: ManualHub) -> None:
    with pytest.raises(NotStubbed) as caught:
        await hub.start("catches", instance_id="c")

    assert f"'c' makes the HTTP call GET {URL}" in str(caught.value)
    assert f'hub.answer_http("GET", "{URL}", json=...)' in str(caught.value)


async def test_calls_to_a_server_of_the_test_are_let_through(hub: ManualHub) -> None:
    async def hello(request: web.Request) -> web.Response:
        return web.Response(text=f"hello {request.path}")

    served = web.Application()
    served.router.add_get("/{name}", hello)
    async with Server(served) as server:
        hub.let_http_through(str(server.make_url("/")))

        answer = await hub.result(await hub.start("asks", str(server.make_url("/ada"))))

    assert (answer["statusCode"], answer["content"]) == (200, "hello /ada")


async def test_calls_to_the_apps_own_routes_are_answered_by_the_app(hub: ManualHub) -> None:
    answer = await hub.result(await hub.start("asks", "http://localhost:7071/api/rates/EUR"))

    assert (answer["statusCode"], answer["content"]) == (203, "EUR by GET")


async def test_http_calls_are_recorded_with_request_and_answer(hub: ManualHub) -> None:
    hub.answer_http("POST", URL, status=201, text="made")
    await hub.result(await hub.start("sends", instance_id="s"))

    [call] = hub.calls(kind="http")
    assert (call.name, call.instance_id, call.error) == (f"POST {URL}", "s", None)
    assert (call.input.json(), call.input.headers) == ({"vat": "DE1"}, {"X-Key": "k"})
    assert (call.result.status, call.result.text) == (201, "made")
