"""Calls of the app's functions, each as a span that is current while the function runs."""

import time
from typing import Any, Final
from urllib.parse import urlsplit

import azure.functions as func
from aiohttp import web
from opentelemetry.trace import SpanContext, SpanKind

from durablehost.app.functions import Function
from durablehost.calling.invoker import Invoker
from durablehost.engine.activities import ActivityRunner
from durablehost.engine.rounds import Commit, Run, Work
from durablehost.hub.backend import ActivityWork, OrchestrationWork
from durablehost.hub.history import Event
from durablehost.tracing.contexts import child_of, in_headers, is_current, of_task, own_of
from durablehost.tracing.spans import Attributes, Spans
from durablehost.tracing.traced_backend import TracedBackend, start_of
from durablehost.web.management import Management
from durablehost.web.routes import route_of

_OPERATIONS: Final = ("call_entity", "signal_entity")


class TracedInvoker(Invoker):
    """Calls functions with a trigger. A request goes on with the trace that it brings."""

    def __init__(self, spans: Spans, route_prefix: str, **options: Any) -> None:
        super().__init__(**options)
        self._spans = spans
        self._route_prefix = route_prefix

    async def http(
        self, function: Function, request: func.HttpRequest, client_payload: str
    ) -> func.HttpResponse:
        route = route_of(function, self._route_prefix)
        attributes: Attributes = {
            "http.request.method": request.method,
            "http.route": route,
            "url.path": urlsplit(request.url).path,
            "faas.name": function.name,
            "faas.trigger": "http",
        }
        parent = in_headers(request.headers)
        name = f"{request.method} {route}"
        with self._spans.running(name, SpanKind.SERVER, parent, attributes) as span:
            answer = await super().http(function, request, client_payload)
            attributes["http.response.status_code"] = answer.status_code
            if answer.status_code >= 500:
                span.error = f"status {answer.status_code}"
            return answer

    async def trigger(self, function: Function, value: object, client_payload: str) -> None:
        attributes: Attributes = {
            "faas.name": function.name,
            "faas.trigger": function.kind,
        }
        with self._spans.running(function.name, SpanKind.CONSUMER, None, attributes):
            await super().trigger(function, value, client_payload)


class TracedActivityRunner(ActivityRunner):
    """Runs activities, in the trace of their instance."""

    def __init__(self, spans: Spans, backend: TracedBackend, *parts: Any) -> None:
        super().__init__(*parts)
        self._spans = spans
        self._backend = backend

    async def end_of(self, activity: ActivityWork) -> Event:
        own = self._backend.own_context(activity.instance_id, activity.execution_id)
        if own is None:
            return await super().end_of(activity)
        parent = of_task(own, activity.execution_id, activity.task_id)
        attributes: Attributes = {
            "durabletask.type": "activity",
            "durabletask.task.name": activity.name,
            "durabletask.task.instance_id": activity.instance_id,
            "durabletask.task.task_id": activity.task_id,
        }
        name = f"activity:{activity.name}"
        with self._spans.running(name, SpanKind.SERVER, parent, attributes) as span:
            event = await super().end_of(activity)
            span.error = event.get("Reason")
            return event


class TracedManagement(Management):
    """Answers requests in the trace that they bring, as those of the SDK's client do."""

    async def handle(self, request: web.Request, path: str) -> web.Response:
        with is_current(in_headers(request.headers)):
            return await super().handle(request, path)


class TracedCode:
    """Runs orchestrators and entities in the trace of the instance, or of its caller."""

    def __init__(self, spans: Spans, backend: TracedBackend) -> None:
        self._spans = spans
        self._backend = backend

    def __call__(self, work: Work, run: Run) -> Run:
        """The same code, for the thread that it runs on."""
        if isinstance(work, OrchestrationWork):
            start = start_of(work)
            return _within(own_of(start) if start else None, run)
        calls = [(request, self._caller_of(request)) for request in work.requests]
        return self._as_operations(work.id, calls, run)

    def _caller_of(self, request: Event) -> SpanContext | None:
        if not request.get("parent"):
            return None  # a signal of a client
        return self._backend.own_context(request["parent"], request["parentExecution"])

    def _as_operations(
        self, entity: str, calls: list[tuple[Event, SpanContext | None]], run: Run
    ) -> Run:
        """A batch is one call of the app's code. Its log lines belong to the first operation."""
        name = entity.split("@")[1]

        def traced() -> Commit:
            began = time.time_ns()
            operations = [(request, caller, child_of(caller)) for request, caller in calls]
            with is_current(operations[0][2]):
                commit = run()
            for request, caller, context in operations:
                self._spans.add(
                    f"entity:{name}:{request['op']}",
                    SpanKind.CONSUMER if request["signal"] else SpanKind.SERVER,
                    context,
                    caller,
                    began,
                    {
                        "durabletask.type": "entity",
                        "durabletask.task.operation": _OPERATIONS[bool(request["signal"])],
                        "durabletask.task.instance_id": entity,
                    },
                )
            return commit

        return traced


def _within(context: SpanContext | None, run: Run) -> Run:
    def traced() -> Commit:
        with is_current(context):
            return run()

    return traced
