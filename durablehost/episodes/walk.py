"""The host's side of an episode: a walk through the SDK's action list, driven by the history.

In every episode the real host goes through the whole list again: it starts one action, awaits it,
then starts the next. It gives ids to the tasks on its own. If these differ from the SDK's ids,
instances hang or fail on Azure, and here too.
"""

import json
import uuid
from collections.abc import Callable, Iterator, Sequence
from datetime import timedelta
from functools import partial
from itertools import chain
from typing import Any

from durablehost.app.functions import Known, no_such_function
from durablehost.episodes.changed_code import NonDeterministic
from durablehost.episodes.external_events import ExternalEvents
from durablehost.episodes.scheduled import (
    HTTP_ACTIVITY,
    KINDS,
    CallActivity,
    CallChild,
    CreateTimer,
    SendRequest,
)
from durablehost.episodes.sdk_replay import Action, place_of
from durablehost.episodes.tasks import Tasks
from durablehost.episodes.waits import Wait, all_of, any_of, retried
from durablehost.hub import history
from durablehost.hub.backend import Instance
from durablehost.hub.history import Event

_MILLISECOND = timedelta(milliseconds=1)
_LONGEST_PAUSE = timedelta(days=6)  # Azure Storage keeps a message invisible for seven at most


class Refused(Exception):
    """The host rejects an action; the orchestration fails with this message."""


class Walk:
    """One walk through an action list: it follows the history, then holds what it came to."""

    def __init__(self, actions: Sequence[Action], known: Known, instance: Instance) -> None:
        self._known = known
        self._execution_id = instance.execution_id
        parent_id = instance.parent.instance_id if instance.parent else ""
        self._taken_ids = {instance.id.lower(), parent_id.lower()} - {""}
        self._began = ""  # when the current episode began, as the history has it
        self._awaited = Wait()
        self._suspended = False
        self._deferred: list[Event] = []  # events that came while suspended
        self.tasks = Tasks()
        self.events = ExternalEvents()
        self.unknown: list[tuple[str, str, str]] = []  # kind, name, place: not in the app
        self.dropped: list[tuple[str, str, str]] = []  # name, reason, place: the host drops them
        self.stands_at_lost_call = False  # the last action has a call that is unknown or dropped
        self.continued: str | None = None  # the next generation's input
        self.carried: list[Event] = []
        self.terminated: str | None = None
        self.steered: Event | None = None  # the last suspension or resumption
        self.refusal: str | None = None
        self.fault: NonDeterministic | None = None  # where the code no longer fits the history
        self.at_end = False  # every action has been awaited
        self._steps = self._each_in_turn(actions)

    @property
    def completions_needed(self) -> int:
        """How many completions it takes until the walk can go on or end."""
        return len(self.tasks.open) if self.at_end else self._awaited.completions_needed()

    @property
    def suspended(self) -> bool:
        return self._suspended

    def add(self, actions: Sequence[Action]) -> None:
        """Go on with further actions when those before are done."""
        self._steps = chain(self._steps, self._each_in_turn(actions))

    def forget(self) -> None:
        """Forget what was found in earlier episodes."""
        self.tasks.matched.clear()
        self.unknown.clear()
        self.dropped.clear()
        self.events.misheard.clear()

    # The history

    def follow(self, events: Sequence[Event]) -> None:
        """Take the events of the history, up to the first that the code no longer fits."""
        try:
            for event in events:
                self._feed(event)
        except NonDeterministic as fault:
            self.fault = fault

    def _feed(self, event: Event) -> None:
        kind = event["EventType"]
        if kind == history.ORCHESTRATOR_STARTED:
            self._began = event["Timestamp"]
        elif self._suspended and kind not in (
            history.EXECUTION_RESUMED,
            history.EXECUTION_TERMINATED,
        ):
            if kind == history.EXECUTION_SUSPENDED:
                self.steered = event
            else:
                self._deferred.append(event)
        else:
            self._process(kind, event)

    def _process(self, kind: int, event: Event) -> None:
        if kind in (history.TASK_COMPLETED, history.SUB_ORCHESTRATION_COMPLETED):
            self.tasks.close(event["TaskScheduledId"])
        elif kind in (history.TASK_FAILED, history.SUB_ORCHESTRATION_FAILED):
            self.tasks.close(event["TaskScheduledId"], failed=True)
        elif kind in KINDS:
            self._match(event)
        elif kind == history.TIMER_FIRED:
            self.tasks.close(event["TimerId"])
        elif kind == history.EVENT_RAISED:
            self._raise_event(event)
        elif kind == history.EXECUTION_STARTED:
            self._advance()
        elif kind == history.EXECUTION_TERMINATED:
            self.terminated = event["Input"]
        elif kind == history.EXECUTION_SUSPENDED:
            self.steered = event
            self._suspend()
        elif kind == history.EXECUTION_RESUMED:
            self.steered = event
            self._resume()

    def _match(self, event: Event) -> None:
        scheduled = self.tasks.match(event)
        if isinstance(scheduled, SendRequest) and scheduled.request_id not in event["Input"]:
            self._await_under_recorded_id(scheduled, event)

    def _await_under_recorded_id(self, request: SendRequest, event: Event) -> None:
        """With a history of another host, the reply has the id that the request had there."""
        if self.events.are_expected(request.request_id):
            self.events.rename(request.request_id, json.loads(event["Input"])["id"].lower())

    def _raise_event(self, event: Event) -> None:
        if self.continued is not None:
            self.carried.append(event)
        else:
            self.events.came(event["Name"])

    def _suspend(self) -> None:
        self._suspended = True
        self.tasks.park()

    def _resume(self) -> None:
        self._suspended = False
        self.tasks.unpark()
        deferred, self._deferred = self._deferred, []
        for event in deferred:
            self._feed(event)

    # The action list

    def _each_in_turn(self, actions: Sequence[Action]) -> Iterator[Wait]:
        for action in actions:
            self.stands_at_lost_call = False
            wait = self._invoke(action)
            if not wait.done:
                yield wait

    def _advance(self) -> None:
        try:
            wait = next(self._steps)
        except StopIteration:
            self.at_end = True
        except Refused as refused:
            self.refusal = str(refused)
        except Exception as error:  # an action that no host can read also fails the instance there
            self.refusal = f"{type(error).__name__}: {error}"
        else:
            self._awaited = wait
            wait.then(self._advance)

    def _invoke(self, action: Action) -> Wait:
        return _INVOKE[action["actionType"]](self, action)

    def _activity(self, action: Action) -> Wait:
        name = action["functionName"]
        if self._known.activity(name) is None:
            return self._unknown("activity", name, action)
        return self.tasks.schedule(
            CallActivity(self.tasks.take_id(), name, action["input"], place_of(action))
        )

    def _http(self, action: Action) -> Wait:
        request = json.dumps(action["httpRequest"])
        return self.tasks.schedule(
            CallActivity(self.tasks.take_id(), HTTP_ACTIVITY, request, place_of(action))
        )

    def _child(self, action: Action) -> Wait:
        name = action["functionName"]
        if self._known.orchestrator(name) is None:
            return self._unknown("orchestrator", name, action)
        given_id, version = _text(action.get("instanceId")), _text(action.get("version"))
        if given_id and given_id.lower() in self._taken_ids:
            why = f"its id '{given_id}' is that of the caller or its parent"
            return self._drop(name, why, action)
        if given_id and given_id.startswith("@"):
            why = f"its id '{given_id}' begins with @, as only entities' ids do"
            return self._drop(name, why, action)
        task_id = self.tasks.take_id()
        instance_id = given_id or f"{self._execution_id}:{task_id}"
        return self.tasks.schedule(
            CallChild(task_id, name, instance_id, version, action["input"], place_of(action))
        )

    # In these two cases the host drops an exception: no id is taken, the list goes on, and the SDK
    # waits for ever.

    def _unknown(self, kind: str, name: str, action: Action) -> Wait:
        self.unknown.append((kind, name, place_of(action)))
        return self._lost()

    def _drop(self, name: str, why: str, action: Action) -> Wait:
        self.dropped.append((name, why, place_of(action)))
        return self._lost()

    def _lost(self) -> Wait:
        self.stands_at_lost_call = True
        return Wait(done=True, failed=True)

    def _activity_with_retry(self, action: Action) -> Wait:
        return self._with_retry(action, self._activity)

    def _child_with_retry(self, action: Action) -> Wait:
        return self._with_retry(action, self._child)

    def _with_retry(self, action: Action, call: Callable[[Action], Wait]) -> Wait:
        options, name = action["retryOptions"], action["functionName"]
        attempts = int(options["maxNumberOfAttempts"])
        milliseconds = int(options["firstRetryIntervalInMilliseconds"])
        if milliseconds > _LONGEST_PAUSE / _MILLISECOND:
            why = f"it is to be retried after {milliseconds} ms, over six days"
            return self._drop(name, why, action)
        if attempts < 1:
            return self._drop(name, f"it is to be tried {attempts} times", action)
        pause = milliseconds * _MILLISECOND
        if self._is_unknown(action):
            return call(action)
        timer_after = partial(self._timer_after, place_of(action))
        return retried(partial(call, action), timer_after, attempts, pause)

    def _is_unknown(self, action: Action) -> bool:
        name = action["functionName"]
        find = self._known.activity if action["actionType"] == 1 else self._known.orchestrator
        return find(name) is None

    def _timer(self, action: Action) -> Wait:
        fire_at = history.read_stamp(action["fireAt"])
        timer = CreateTimer(self.tasks.take_id(), fire_at, place_of(action))
        wait = self.tasks.schedule(timer)
        if action["isCanceled"]:
            self.tasks.close(timer.id, failed=True)
        return wait

    def _timer_after(self, place: str, pause: timedelta) -> Wait:
        fire_at = history.read_stamp(self._began) + pause
        return self.tasks.schedule(CreateTimer(self.tasks.take_id(), fire_at, place))

    def _wait_for_event(self, action: Action) -> Wait:
        return self.events.wait_for(str(action["externalEventName"]))

    def _call_entity(self, action: Action) -> Wait:
        name = action["instanceId"].split("@")[1]
        if self._known.entity(name) is None:
            return self._unknown("entity", name, action)
        request = self._send(action, signal=False)
        return self.events.wait_for(request.request_id)

    def _signal_entity(self, action: Action) -> Wait:
        name = action["instanceId"].split("@")[1]
        if self._known.entity(name) is None:
            self.unknown.append(("entity", name, place_of(action)))
            raise Refused(no_such_function("entity", name, self._known.durable_names("entity")))
        self._send(action, signal=True)
        return Wait(done=True)

    def _send(self, action: Action, *, signal: bool) -> SendRequest:
        task_id = self.tasks.take_id()
        request_id = str(uuid.uuid5(uuid.NAMESPACE_OID, f"{self._execution_id}:{task_id}"))
        request = SendRequest(
            task_id,
            action["instanceId"],
            action["operation"],
            action["input"],
            request_id,
            signal,
            place_of(action),
        )
        self.tasks.send(request)
        return request

    def _continue_as_new(self, action: Action) -> Wait:
        self.continued = action["input"]
        return Wait(done=True)

    def _when_any(self, action: Action) -> Wait:
        return any_of([self._invoke(part) for part in action["compoundActions"]])

    def _when_all(self, action: Action) -> Wait:
        return all_of([self._invoke(part) for part in action["compoundActions"]])


_INVOKE: dict[int, Callable[[Walk, Action], Wait]] = {
    0: Walk._activity,
    1: Walk._activity_with_retry,
    2: Walk._child,
    3: Walk._child_with_retry,
    4: Walk._continue_as_new,
    5: Walk._timer,
    6: Walk._wait_for_event,
    7: Walk._call_entity,
    8: Walk._http,
    9: Walk._signal_entity,
    11: Walk._when_any,
    12: Walk._when_all,
}


def _text(value: Any) -> str | None:
    """A value as the host reads it where it expects text: a number becomes its digits."""
    return None if value is None else str(value)
