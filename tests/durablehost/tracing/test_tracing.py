"""A collector that the settings name receives one trace for each request, and the log lines."""

import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.collecting import Collector, Span, collecting
from tests.durablehost.apps import IMPORTS, write_app
from tests.durablehost_process import Started, running

APP = (
    IMPORTS
    + """
import logging
from datetime import timedelta
from opentelemetry import trace


@app.route(route="start/{name}", methods=["POST"])
@app.durable_client_input(client_name="client")
async def start(req: func.HttpRequest, client) -> func.HttpResponse:
    name = req.route_params["name"]
    await client.start_new(name, name, {"url": req.url.replace(f"start/{name}", "called")})
    return func.HttpResponse(status_code=202)


@app.orchestration_trigger(context_name="context")
def everything(context):
    if not context.is_replaying:
        logging.info("%s: begins", context.instance_id)
    yield context.call_http("GET", context.get_input()["url"])
    yield context.create_timer(context.current_utc_datetime + timedelta(milliseconds=1))
    yield context.call_entity(df.EntityId("counter", "one"), "add", 1)
    yield context.call_sub_orchestrator("child", 0)
    context.set_custom_status("waits")
    yield context.wait_for_external_event("Go")
    return (yield context.call_activity("look", None))


@app.orchestration_trigger(context_name="context")
def child(context):
    if context.get_input() < 2:
        context.continue_as_new(context.get_input() + 1)
    else:
        yield context.call_activity("own_span", None)


@app.orchestration_trigger(context_name="context")
def failing(context):
    yield context.call_activity("fail", None)


@app.activity_trigger(input_name="nothing")
def look(nothing, context: func.Context) -> list:
    logging.info("looks")
    current = trace.get_current_span().get_span_context()
    return [context.trace_context.trace_parent, f"{current.span_id:016x}"]


@app.activity_trigger(input_name="nothing")
async def own_span(nothing):
    with trace.get_tracer("app").start_as_current_span("own span"):
        return None


@app.activity_trigger(input_name="nothing")
def fail(nothing):
    raise ValueError("no")


@app.entity_trigger(context_name="context")
def counter(context):
    logging.info("counts")


@app.timer_trigger(arg_name="timer", schedule="0 0 0 1 1 *", run_on_startup=True)
def ticks(timer: func.TimerRequest) -> None:
    logging.info("ticks")


@app.route(route="called")
def called(req: func.HttpRequest, context: func.Context) -> str:
    return context.trace_context.trace_parent
"""
)
TRACE, EVENT_TRACE = "a" * 32, "e" * 32
ROOT = ["POST api/start/{name}", "create_orchestration:everything", "orchestration:everything"]
SERVER, PRODUCER, CONSUMER = 2, 4, 5


def header_of(trace: str) -> dict[str, str]:
    return {"traceparent": f"00-{trace}-{'b' * 16}-01"}


def status_of(host: Started, instance: str, reached: str) -> dict[str, object]:
    """The instance once its status or its custom status is this."""
    until = time.monotonic() + 30
    while time.monotonic() < until:
        status: dict[str, object] = host.manage("GET", f"/instances/{instance}").json()
        if reached in (status["runtimeStatus"], status["customStatus"]):
            return status
    raise AssertionError(f"{instance} is not {reached} in 30 seconds: {status}")


class Run:
    """What an app did, and what the collector received."""

    def __init__(self, collector: Collector, folder: Path) -> None:
        self.collector = collector
        app, hub = write_app(folder / "app", APP), folder / "hub.db"
        environ = {"OTEL_EXPORTER_OTLP_ENDPOINT": collector.endpoint}
        with running(app, "--data", hub, environ=environ) as host:
            host.ask("POST", "/api/start/everything", headers=header_of(TRACE))
            host.ask("POST", "/api/start/failing")
            status_of(host, "failing", "Failed")
            status_of(host, "everything", "waits")
            self.code = host.stop()
        with running(app, "--data", hub, environ=environ) as host:
            event = "/runtime/webhooks/durabletask/instances/everything/raiseEvent/Go"
            headers = {"Content-Type": "application/json", **header_of(EVENT_TRACE)}
            host.ask("POST", event, "1", headers)
            self.output = status_of(host, "everything", "Completed")["output"]
            host.stop()

    def span(self, name: str, kind: int | None = None) -> Span:
        [found] = [
            span for span in self.collector.spans if span.name == name and kind in (None, span.kind)
        ]
        return found


@pytest.fixture(scope="module")
def run(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Run]:
    with collecting() as collector:
        yield Run(collector, tmp_path_factory.mktemp("traced"))


@pytest.mark.parametrize(
    ("name", "below"),
    [
        ("orchestration:everything:timer", []),
        ("entity:counter:add", []),
        ("GET api/called", ["activity:BuiltIn::HttpActivity", "activity:BuiltIn::HttpActivity"]),
        ("own span", ["orchestration:child"] * 2 + ["activity:own_span"] * 2),
    ],
)
def test_what_an_instance_starts_is_in_the_trace_of_the_request(
    run: Run, name: str, below: list[str]
) -> None:
    assert run.span(name).trace_id == TRACE
    assert run.collector.path_to(name) == [*ROOT, *below, name]


def test_an_instance_stays_in_its_trace_when_durablehost_is_started_again(run: Run) -> None:
    activity = run.span("activity:look", SERVER)

    assert run.code == 0
    assert run.collector.path_of(activity) == [*ROOT, "activity:look", "activity:look"]
    assert run.output == [f"00-{TRACE}-{activity.id}-01", activity.id]


def test_an_orchestration_is_one_span_from_its_start_to_its_end(run: Run) -> None:
    whole, part = run.span("orchestration:everything"), run.span("activity:look", SERVER)

    assert whole.began < run.span("own span").began < part.began < part.ended < whole.ended
    assert whole.attributes["durabletask.task.instance_id"] == "everything"
    assert whole.attributes["durabletask.task.status"] == "Completed"
    assert run.span("orchestration:child", SERVER).error == ""


def test_a_failure_is_the_error_of_its_spans(run: Run) -> None:
    names = {"activity:fail", "orchestration:failing"}

    failed = [span for span in run.collector.spans if "ValueError: no" in span.error]

    assert {span.name for span in failed} == names


def test_an_event_is_a_span_in_the_trace_of_its_sender(run: Run) -> None:
    event = run.span("orchestration_event:Go")

    assert (event.trace_id, event.kind) == (EVENT_TRACE, PRODUCER)
    assert event.attributes["durabletask.event.target_instance_id"] == "everything"


def test_a_request_without_a_trace_begins_one(run: Run) -> None:
    orchestration = run.span("orchestration:failing")

    assert orchestration.trace_id not in (TRACE, EVENT_TRACE)
    assert run.collector.path_of(orchestration)[0] == "POST api/start/{name}"


def test_a_function_with_another_trigger_begins_a_trace(run: Run) -> None:
    spans = [span for span in run.collector.spans if span.name == "ticks"]

    assert [(span.kind, span.parent_id) for span in spans] == [(CONSUMER, "")] * 2
    assert {span.trace_id for span in spans} == {
        line.trace_id for line in run.collector.lines if line.text == "ticks"
    }


def test_each_log_line_of_the_app_belongs_to_the_span_that_logged_it(run: Run) -> None:
    spans = {
        "everything: begins": run.span("orchestration:everything"),
        "counts": run.span("entity:counter:add"),
        "looks": run.span("activity:look", SERVER),
    }

    lines = {line.text: (line.trace_id, line.span_id) for line in run.collector.lines}

    assert {text: lines[text] for text in spans} == {
        text: (span.trace_id, span.id) for text, span in spans.items()
    }
