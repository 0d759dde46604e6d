"""The host's own pages: what they tell, and who may see them."""

import asyncio
import io
import json
from typing import Any

import azure.durable_functions as df
import azure.functions as func
import pytest

from durablehost.app.functions import Function, FunctionTable, LeftOut, Place
from durablehost.app.loading import index_app
from durablehost.settings import Settings
from tests.durablehost.web.serving import KEYS, Ran, serving


@pytest.fixture
def table() -> FunctionTable:
    app = df.DFApp(http_auth_level=func.AuthLevel.FUNCTION)

    @app.route(route="items/{id}", methods=["GET"])
    def one_item(req: func.HttpRequest) -> func.HttpResponse:
        return func.HttpResponse("item")

    @app.route(route="items")
    def all_items(req: func.HttpRequest) -> func.HttpResponse:
        return func.HttpResponse("items")

    @app.timer_trigger(schedule="0 0 0 * * *", arg_name="timer")
    def Sweep(timer: func.TimerRequest) -> None:
        return None

    @app.activity_trigger(input_name="order")  # type: ignore[untyped-decorator]  # the SDK's
    def post(order: str) -> None:
        return None

    found = index_app(app)
    left_out = LeftOut(
        "lost<b>", "The 'lost' function is in error", "", Place("function_app.py", 1)
    )
    return FunctionTable(found.functions, (left_out,))


@pytest.mark.parametrize(
    "path",
    [
        "/admin/host/status",
        "/admin/functions",
        "/admin/functions/Sweep",
        "/admin/functions/nobody",
        "/admin/functions/Sweep/status",
        "/admin/durablehost/problems",
        "/ADMIN/Host/Status",
    ],
)
async def test_admin_pages_open_to_the_master_key_alone(table: FunctionTable, path: str) -> None:
    async with serving(table, keys=KEYS) as call:
        for key in ("", "?code=wrong", f"?code={KEYS.function}", f"?code={KEYS.durable}"):
            answer = await call("GET", path + key)
            assert (answer.status, answer.body) == (401, b"")
            assert "Content-Type" not in answer.headers
        assert (await call("GET", f"{path}?code={KEYS.master}")).status in (200, 404)
        header = {"x-functions-key": KEYS.master}
        assert (await call("GET", path, headers=header)).status in (200, 404)


@pytest.mark.parametrize("key", ["", "?code=the-function"])
async def test_running_a_function_takes_the_master_key(table: FunctionTable, key: str) -> None:
    ran = Ran()
    async with serving(table, keys=KEYS, run_now=ran) as call:
        answer = await call("POST", f"/admin/functions/Sweep{key}", json={"input": "x"})

    assert (answer.status, answer.body, ran.calls) == (401, b"", [])


@pytest.mark.parametrize("method", ["GET", "POST"])
async def test_a_ping_is_answered_to_anybody(table: FunctionTable, method: str) -> None:
    async with serving(table, keys=KEYS) as call:
        answer = await call(method, "/admin/host/ping")

    assert (answer.status, answer.body) == (200, b"")


@pytest.mark.parametrize(
    ("method", "path"),
    [
        ("GET", "/admin"),
        ("GET", "/admin/"),
        ("GET", "/admin/host"),
        ("POST", "/admin/host/status"),
        ("DELETE", "/admin/functions/Sweep"),
        ("PUT", "/admin/host/ping"),
        ("GET", "/admin/functions/a/b/c"),
        ("GET", "/administrator"),
    ],
)
async def test_an_unknown_admin_page_is_an_empty_404(
    table: FunctionTable, method: str, path: str
) -> None:
    async with serving(table) as call:
        answer = await call(method, path)

    assert (answer.status, answer.body) == (404, b"")


async def test_the_status_says_that_the_host_runs(table: FunctionTable) -> None:
    bundle = {"id": "Microsoft.Azure.Functions.ExtensionBundle", "version": "[4.*, 5.0.0)"}

    async with serving(table, Settings(raw={"extensionBundle": bundle})) as call:
        answer = await call("GET", "/admin/host/status")

    status = json.loads(answer.body)
    assert answer.headers["Content-Type"] == "application/json; charset=utf-8"
    assert status["state"] == "Running"
    assert status["version"].startswith("4.")
    assert status["versionDetails"].startswith("durablehost ")
    assert isinstance(status["processUptime"], int)
    assert status["extensionBundle"] == bundle


async def test_the_list_describes_every_function(table: FunctionTable) -> None:
    async with serving(table, Settings(disabled=frozenset({"post"}))) as call:
        listed = json.loads((await call("GET", "/admin/functions")).body)

    assert [f["name"] for f in listed] == ["all_items", "one_item", "post", "Sweep"]
    assert [f["isDisabled"] for f in listed] == [False, False, True, False]
    assert listed[1]["invoke_url_template"] == f"{call.origin}/api/items/{{id}}"
    assert listed[2]["invoke_url_template"] is None
    assert listed[3]["href"] == f"{call.origin}/admin/functions/Sweep"
    assert listed[3]["config"]["bindings"] == [
        {
            "name": "timer",
            "type": "timerTrigger",
            "direction": "IN",
            "schedule": "0 0 0 * * *",
        }
    ]


async def test_one_function_is_found_without_regard_to_case(table: FunctionTable) -> None:
    async with serving(table) as call:
        found = await call("GET", "/admin/functions/sWEEP")
        escaped = await call("GET", "/admin/functions/%53weep/")
        unknown = await call("GET", "/admin/functions/nobody")

    assert json.loads(found.body)["name"] == json.loads(escaped.body)["name"] == "Sweep"
    assert (unknown.status, unknown.body) == (404, b"")


async def test_the_status_of_a_function_names_why_it_was_left_out(table: FunctionTable) -> None:
    async with serving(table) as call:
        sound = await call("GET", "/admin/functions/sweep/status")
        lost = await call("GET", "/admin/functions/lost%3Cb%3E/status")
        unknown = await call("GET", "/admin/functions/nobody/status")

    assert json.loads(sound.body) == {}
    assert json.loads(lost.body) == {"errors": ["The 'lost' function is in error"]}
    assert unknown.status == 404


@pytest.mark.parametrize(
    ("body", "given"),
    [
        ({"input": "text"}, "text"),
        ({"Input": "text"}, "text"),
        ({"input": ""}, ""),
        ({"input": None}, ""),
        ({}, ""),
        ({"input": 5}, "5"),
    ],
)
async def test_a_timer_is_run_now_with_its_input(
    table: FunctionTable, body: dict[str, Any], given: str
) -> None:
    ran = Ran()

    async with serving(table, run_now=ran) as call:
        answer = await call("POST", "/admin/functions/sweep", json=body)

    assert (answer.status, answer.body) == (202, b"")
    assert ran.calls == [("Sweep", given)]


@pytest.mark.parametrize(
    ("name", "body", "kind", "status"),
    [
        ("nobody", b'{"input": "x"}', "application/json", 404),
        ("nobody", b"", "application/json", 400),
        ("Sweep", b"", "application/json", 400),
        ("Sweep", b"{", "application/json", 400),
        ("Sweep", b"\xff", "application/json", 400),
        ("Sweep", b'"x"', "application/json", 400),
        ("Sweep", b"[" * 100_000, "application/json", 400),
        ("Sweep", b'{"input": {"a": 1}}', "application/json", 400),
        ("Sweep", b'{"input": "x"}', "text/plain", 415),
        ("Sweep", b'{"input": "' + b"x" * 1_048_576 + b'"}', "application/json", 413),
    ],
)
async def test_an_invalid_request_to_run_a_function_runs_nothing(
    table: FunctionTable, name: str, body: bytes, kind: str, status: int
) -> None:
    ran = Ran()

    async with serving(table, run_now=ran) as call:
        headers = {"Content-Type": kind}
        path = f"/admin/functions/{name}"
        answer = await call("POST", path, data=io.BytesIO(body), headers=headers)

    assert (answer.status, answer.body, ran.calls) == (status, b"", [])


async def test_a_function_of_another_kind_is_not_run_and_the_log_says_why(
    table: FunctionTable, caplog: pytest.LogCaptureFixture
) -> None:
    ran = Ran()

    async with serving(table, run_now=ran) as call:
        answer = await call("POST", "/admin/functions/post", json={"input": "x"})

    assert (answer.status, ran.calls) == (202, [])
    assert "post cannot be run from /admin/functions: its trigger is activityTrigger" in caplog.text


async def test_the_caller_does_not_wait_for_what_is_run(table: FunctionTable) -> None:
    begun, cancelled = asyncio.Event(), asyncio.Event()

    async def run_for_ever(function: Function, text: str) -> None:
        begun.set()
        try:
            await asyncio.Event().wait()
        finally:
            cancelled.set()

    async with serving(table, run_now=run_for_ever) as call:
        answer = await call("POST", "/admin/functions/Sweep", json={"input": ""})
        await begun.wait()

    assert answer.status == 202
    assert cancelled.is_set()


async def test_a_run_that_fails_is_in_the_log(
    table: FunctionTable, caplog: pytest.LogCaptureFixture
) -> None:
    async def fail(function: Function, text: str) -> None:
        raise ValueError("no storage")

    async with serving(table, run_now=fail) as call:
        answer = await call("POST", "/admin/functions/Sweep", json={"input": ""})

    assert answer.status == 202
    assert "ValueError: no storage" in caplog.text


@pytest.mark.parametrize(
    ("query", "asked"),
    [("", None), ("?instanceId=i%2F1", "i/1"), ("?INSTANCEID=x", "x"), ("?instanceId=", None)],
)
async def test_problems_are_listed_of_all_instances_or_of_one(
    table: FunctionTable, query: str, asked: str | None
) -> None:
    def problems(instance_id: str | None) -> list[dict[str, Any]]:
        return [{"instanceId": instance_id, "text": "nobody has »pst«"}]

    async with serving(table, problems=problems) as call:
        answer = await call("GET", f"/admin/durablehost/problems{query}")

    assert json.loads(answer.body) == [{"instanceId": asked, "text": "nobody has »pst«"}]


async def test_every_link_of_the_page_to_the_host_is_answered(table: FunctionTable) -> None:
    async with serving(table) as call:
        page = (await call("GET", "/")).text
        for link in ("/admin/host/status", "/admin/functions", "/admin/durablehost/problems"):
            assert f'href="{link}"' in page
            assert (await call("GET", link)).status == 200


async def test_the_page_can_be_switched_off(table: FunctionTable) -> None:
    async with serving(table, Settings(homepage=False)) as call:
        answer = await call("GET", "/")

    assert (answer.status, answer.body) == (204, b"")


async def test_the_page_is_at_the_root_alone(table: FunctionTable) -> None:
    async with serving(table) as call:
        assert (await call("GET", "/index.html")).status == 404
