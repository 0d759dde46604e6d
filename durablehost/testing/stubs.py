"""Replacements that a test gives for activities, child orchestrators and entities."""

import inspect
import json
import traceback
from collections.abc import Awaitable, Callable, Generator
from dataclasses import dataclass, field, replace
from typing import Any, Final, cast

from azure.durable_functions import Entity, Orchestrator

from durablehost.app.functions import Function
from durablehost.calling.invoker import Invoker
from durablehost.errors import FunctionFailed
from durablehost.hub.backend import ActivityWork
from durablehost.hub.history import EXECUTION_STARTED
from durablehost.testing.calls import CallLog

# An operation that no app has: it sets the state of an entity, whatever the entity's own code is.
SET_STATE: Final = "durablehost.testing: set the state"

Replacement = Callable[[Any], Any]
EntityReplacement = Callable[[str, str, Any], Any]


@dataclass(slots=True)
class _Plan:
    """What shall happen to the calls of one function, by their numbers."""

    made: int = 0  # calls until now
    replacement: Callable[..., Any] | None = None
    failures: list[tuple[int, int | None, Exception]] = field(default_factory=list)
    repeated: set[int] = field(default_factory=set)

    def fail(self, error: Exception, on_call: int, times: int | None) -> None:
        self.failures.append((self.made + on_call, times, error))

    def failure(self) -> Exception | None:
        """The error of the current call, if it shall fail."""
        for first, times, error in self.failures:
            if first <= self.made and (times is None or self.made < first + times):
                return error
        return None


class Stubs:
    """Runs the app's functions, or the replacements of the test."""

    def __init__(
        self,
        invoker: Invoker,
        log: CallLog,
        run_activity: Callable[[ActivityWork], Awaitable[str]],
    ) -> None:
        """`run_activity` runs an activity of the app."""
        self._invoker = invoker
        self._log = log
        self._run_activity = run_activity
        self._activities: dict[str, _Plan] = {}
        self._orchestrators: dict[str, _Plan] = {}
        # How the executions of orchestrators that the test has a plan for are to fail, if at all.
        self._failures: dict[str, Exception | None] = {}
        self._entities: dict[str, EntityReplacement] = {}
        self.raised: dict[str, BaseException] = {}  # what orchestrators raised last, by instance

    def activity(self, name: str) -> _Plan:
        return self._activities.setdefault(name, _Plan())

    def orchestrator(self, name: str) -> _Plan:
        return self._orchestrators.setdefault(name, _Plan())

    def replace_entity(self, name: str, replacement: EntityReplacement) -> None:
        self._entities[name] = replacement

    # Activities

    async def run(self, activity: ActivityWork) -> str:
        """The activity's result as JSON text. Raises FunctionFailed."""
        plan = self.activity(activity.name)
        plan.made += 1
        runs = 2 if plan.made in plan.repeated else 1
        error = plan.failure()
        for _ in range(runs):
            result = await self._run_once(activity, plan, error)
        return result

    async def _run_once(self, activity: ActivityWork, plan: _Plan, error: Exception | None) -> str:
        value = json.loads(activity.input)
        with self._log.call("activity", activity.name, value, activity.instance_id) as call:
            if error is not None:
                words = "  (the test made this call fail)"
                raise FunctionFailed(type(error).__name__, str(error), words)
            if plan.replacement is None:
                text = await self._run_activity(activity)
            else:
                text = await _result_of(plan.replacement, value)
            call.result = json.loads(text)
            return text

    # Orchestrators

    def orchestrate(self, function: Function, body: str) -> str:
        """Run one episode of an orchestrator. Raises what the SDK raises."""
        plan = self._orchestrators.get(function.durable_name)
        if plan is not None and (execution := _execution_of(body)) not in self._failures:
            plan.made += 1
            self._failures[execution] = plan.failure()
        try:
            return self.look(function, body)
        except Exception as error:
            self.raised[json.loads(body)["instanceId"]] = error.__cause__ or error
            raise

    def look(self, function: Function, body: str) -> str:
        """Run an episode without recording it."""
        plan = self._orchestrators.get(function.durable_name)
        if plan is not None and (error := self._failures.get(_execution_of(body))):
            function = replace(function, handler=_raising(error))
        elif plan is not None and plan.replacement is not None:
            function = replace(function, handler=_orchestrator_of(plan.replacement, body))
        return self._invoker.orchestrate(function, body)

    # Entities

    def operate(self, function: Function, body: str) -> str:
        """Run a batch of operations of an entity. Raises what the SDK raises."""
        replacement = self._entities.get(function.durable_name)
        if replacement is not None or SET_STATE in body:
            function = replace(function, handler=_entity_of(function, replacement, body))
        return self._invoker.operate(function, body)


async def _result_of(replacement: Replacement, value: Any) -> str:
    try:
        result = replacement(value)
        if inspect.isawaitable(result):
            result = await result
        return json.dumps(result)
    except Exception as error:  # a replacement may fail as the activity does
        stack = "".join(traceback.format_tb(error.__traceback__)[1:])  # without the line above
        raise FunctionFailed(type(error).__name__, str(error), stack) from error


def _execution_of(body: str) -> str:
    """The id of the execution that an orchestrator runs; it is the same after a crash."""
    events = json.loads(body)["history"]
    [started] = [one for one in events if one["EventType"] == EXECUTION_STARTED]
    return str(started["OrchestrationInstance"]["ExecutionId"])


def _orchestrator_of(replacement: Callable[..., Any], body: str) -> Callable[..., Any]:
    """Let the SDK run a replacement, so that results and failures have the usual form."""
    if inspect.isgeneratorfunction(replacement):
        return cast(Callable[..., Any], Orchestrator.create(replacement))

    def run(context: Any) -> Generator[Any, Any, Any]:
        return replacement(_value_of(json.loads(body)["input"]))
        yield  # the SDK reports only what generators raise as a failure of the orchestrator

    return cast(Callable[..., Any], Orchestrator.create(run))


def _raising(error: Exception) -> Callable[..., Any]:
    def run(context: Any) -> Generator[Any, Any, Any]:
        raise error
        yield  # as above

    return cast(Callable[..., Any], Orchestrator.create(run))


def _entity_of(
    function: Function, replacement: EntityReplacement | None, body: str
) -> Callable[..., Any]:
    inputs = iter([operation["input"] for operation in json.loads(body)["batch"]])

    def run(context: Any) -> None:
        given = _value_of(_value_of(next(inputs)))  # JSON text in JSON text, or JSON by plain HTTP
        if context.operation_name == SET_STATE:
            context.set_state(given)
        elif replacement is not None:
            context.set_result(replacement(context.entity_key, context.operation_name, given))
        else:
            assert function.user_function is not None, "an entity is a function of the app"
            function.user_function(context)

    return cast(Callable[..., Any], Entity.create(run))


def _value_of(given: Any) -> Any:
    """The value of a JSON text; plain HTTP sends the value itself."""
    return json.loads(given) if isinstance(given, str) else given
