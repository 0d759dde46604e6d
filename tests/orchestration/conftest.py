"""An app of nothing but the parts: each orchestrator here uses one of them."""

import json
import logging
from collections.abc import Generator
from datetime import timedelta
from typing import Any

import azure.durable_functions as df
import pytest

from durablehost.app.functions import FunctionTable
from durablehost.app.loading import index_app
from orchestration.deadlines import sleep, wait_any
from orchestration.failures import Failure, failure_of
from orchestration.retrying import Retry, call_with_retry

log = logging.getLogger(__name__)

parts = df.DFApp()


@parts.activity_trigger(input_name="work")
def do_work(work: str) -> str:
    """Replaced in most tests."""
    return f"did {work}"


@parts.orchestration_trigger(context_name="context", input_type=dict)
def retrier(context: df.DurableOrchestrationContext) -> Generator[Any, Any, Any]:
    asked: Any = context.get_input()
    retry = Retry(
        attempts=asked.get("attempts", 5),
        within=timedelta(seconds=asked.get("within", 3600)),
    )
    try:
        return (yield from call_with_retry(context, do_work, "it", retry))
    except Failure as failure:
        return failure.as_data()


@parts.orchestration_trigger(context_name="context", input_type=int)
def sleeper(context: df.DurableOrchestrationContext) -> Generator[Any, Any, str]:
    seconds: Any = context.get_input()
    yield from sleep(context, timedelta(seconds=seconds))
    return str(context.current_utc_datetime)


@parts.orchestration_trigger(context_name="context", input_type=int)
def waiter(context: df.DurableOrchestrationContext) -> Generator[Any, Any, Any]:
    seconds: Any = context.get_input()
    answer = context.wait_for_external_event("Answered")
    winner = yield from wait_any(context, [answer], timedelta(seconds=seconds))
    done = yield context.call_activity(do_work, "after")
    return [json.loads(winner.result) if winner else "too late", done]


@parts.orchestration_trigger(context_name="context")
def logger(context: df.DurableOrchestrationContext) -> Generator[Any, Any, None]:
    if not context.is_replaying:
        log.info("%s: began", context.instance_id)
    yield context.call_activity(do_work, "first")
    if not context.is_replaying:
        log.info("%s: did the first", context.instance_id)
    yield context.call_activity(do_work, "second")
    if not context.is_replaying:
        log.info("%s: did the %s", context.instance_id, "second")


@parts.orchestration_trigger(context_name="context")
def failing_child(context: df.DurableOrchestrationContext) -> Generator[Any, Any, Any]:
    return (yield context.call_activity(do_work, "child's"))


@parts.orchestration_trigger(context_name="context")
def parent(context: df.DurableOrchestrationContext) -> Generator[Any, Any, Any]:
    try:
        return (yield context.call_sub_orchestrator(failing_child, expected_type=str))
    except Exception as error:  # the SDK raises nothing narrower
        return failure_of(error).as_data()


@parts.entity_trigger(context_name="context")
def refuser(context: df.DurableEntityContext) -> None:
    raise Failure("refused", f"there is no operation {context.operation_name}")


@parts.orchestration_trigger(context_name="context")
def refused_by_an_entity(context: df.DurableOrchestrationContext) -> Generator[Any, Any, Any]:
    try:
        yield context.call_entity(df.EntityId("refuser", "it"), "dance", None)
    except Exception as error:  # the SDK raises nothing narrower
        return failure_of(error).as_data()


@parts.orchestration_trigger(context_name="context")
def raising_child(context: df.DurableOrchestrationContext) -> Generator[Any, Any, Any]:
    yield context.call_activity(do_work, "child's")
    raise Failure("closed", "the month is [closed]", retriable=True)


@parts.orchestration_trigger(context_name="context")
def grandparent(context: df.DurableOrchestrationContext) -> Generator[Any, Any, Any]:
    """Two levels above what raises, which neither catches."""
    return (yield context.call_sub_orchestrator(between, expected_type=str))


@parts.orchestration_trigger(context_name="context")
def between(context: df.DurableOrchestrationContext) -> Generator[Any, Any, Any]:
    return (yield context.call_sub_orchestrator(raising_child, expected_type=str))


@pytest.fixture(scope="session")
def durable_app() -> FunctionTable:
    return index_app(parts)
