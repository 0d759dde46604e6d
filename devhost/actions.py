"""The host's side of an episode: it walks the SDK's action list once more, driven by the history.

The real host replays the whole list in every episode (protocol "mode A"): it invokes one action,
awaits it, then invokes the next. Ids are given out here a second time, apart from the SDK; where
the two drift apart, instances hang or fail on Azure, and so they do here.
"""

import json
import uuid
from collections import deque
from collections.abc import Callable, Iterator, Sequence
from datetime import datetime, timedelta
from typing import Any

from devhost import history
from devhost.changed_code import another, missing
from devhost.functions import Known, no_such_function
from devhost.history import Event
from devhost.replay import Action
from devhost.scheduled import (
    HTTP_ACTIVITY,
    CallActivity,
    CallChild,
    CreateTimer,
    Scheduled,
    SendRequest,
)

_MILLISECOND = timedelta(milliseconds=1)
_LONGEST_PAUSE = timedelta(days=6)  # Azure Storage keeps a message invisible for seven at most

_SCHEDULED_BY = {
    history.TASK_SCHEDULED: CallActivity,
    history.SUB_ORCHESTRATION_CREATED: CallChild,
    history.TIMER_CREATED: CreateTimer,
    history.EVENT_SENT: SendRequest,
}


class Refused(Exception):
    """The host will not carry out an action; the orchestration fails with these words."""


class Wait:
    """Something an action list waits for."""

    __slots__ = ("_callbacks", "acts", "all_of", "done", "failed")

    def __init__(self, *, done: bool = False, failed: bool = False, acts: bool = False) -> None:
        self.done = done
        self.failed = failed
        self.acts = acts  # schedules something of its own before it is done, as a retry does
        self.all_of: Sequence[Wait] = ()  # what a group waits for, every one of them
        self._callbacks: list[Callable[[], None]] = []

    def least(self) -> int:
        """How many completions it takes, at least, until something can come of them."""
        if self.done:
            return 0
        if not self.all_of or any(part.acts and not part.done for part in self.all_of):
            return 1
        return sum(part.least() for part in self.all_of)

    def then(self, callback: Callable[[], None]) -> None:
        if self.done:
            callback()
        else:
            self._callbacks.append(callback)

    def finish(self, *, failed: bool = False) -> None:
        if self.done:
            return
        self.done, self.failed = True, failed
        callbacks, self._callbacks = self._callbacks, []
        for callback in callbacks:
            callback()


class Walk:
    """One walk through an action list. Feed it the history, then read what it came to."""

    def __init__(
        self,
        actions: Sequence[Action],
        known: Known,
        instance_id: str,
        execution_id: str,
        parent_id: str | None = None,
    ) -> None:
        self._known = known
        self._execution_id = execution_id
        self._taken_ids = {known_id.lower() for known_id in (instance_id, parent_id) if known_id}
        self._next_id = 0
        self._began = ""  # when the episode at hand began, as it stands in the history
        self._waits: dict[int, Wait] = {}
        # By event name, which ignores case here, and beside each the name as it was spelled.
        self._waiting_for: dict[str, list[tuple[str, Wait]]] = {}
        self._buffered: dict[str, deque[str]] = {}
        self._awaited = Wait()
        self._suspended = False
        self._set_aside: list[Event] = []  # events that came while suspended
        self._parked: dict[int, Scheduled] = {}
        self.scheduled: dict[int, Scheduled] = {}  # decided, and not yet in the history
        self.open: dict[int, Scheduled] = {}
        self.matched: list[tuple[Event, Scheduled]] = []
        self.unknown: list[tuple[str, str]] = []  # (kind, name) of functions nobody has
        self.dropped: list[tuple[str, str]] = []  # (name, why) of calls the host does not make
        self.misheard: list[tuple[str, str]] = []  # events as they were sent, and waited for
        self.continued: str | None = None  # the next generation's input
        self.carried: list[Event] = []
        self.terminated: str | None = None
        self.steered: Event | None = None  # the last to suspend or resume
        self.refusal: str | None = None
        self.at_end = False  # every action has been awaited
        self._steps = self._each_in_turn(actions)

    @property
    def expected(self) -> list[str]:
        """The events still waited for, as they are spelled."""
        return [name for waiting in self._waiting_for.values() for name, _ in waiting]

    @property
    def least(self) -> int:
        """How many completions it takes, at least, until the walk goes on or ends."""
        return len(self.open) if self.at_end else self._awaited.least()

    @property
    def suspended(self) -> bool:
        return self._suspended

    def take_id(self) -> int:
        self._next_id += 1
        return self._next_id - 1

    # The history

    def feed(self, event: Event) -> None:
        """Take one event of the history. Raises NonDeterministic where the code no longer fits."""
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
                self._set_aside.append(event)
        else:
            self._process(kind, event)

    def _process(self, kind: int, event: Event) -> None:
        if kind in (history.TASK_COMPLETED, history.SUB_ORCHESTRATION_COMPLETED):
            self._close(event["TaskScheduledId"])
        elif kind in (history.TASK_FAILED, history.SUB_ORCHESTRATION_FAILED):
            self._close(event["TaskScheduledId"], failed=True)
        elif kind in _SCHEDULED_BY:
            self._match(kind, event)
        elif kind == history.TIMER_FIRED:
            self._close(event["TimerId"])
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

    def _close(self, task_id: int, *, failed: bool = False) -> None:
        wait = self._waits.pop(task_id, None)
        self.open.pop(task_id, None)
        if wait is not None:
            wait.finish(failed=failed)

    def _match(self, kind: int, event: Event) -> None:
        scheduled = self.scheduled.get(event["EventId"])
        if scheduled is None:
            raise missing(event)
        if not isinstance(scheduled, _SCHEDULED_BY[kind]):
            raise another(event, scheduled)
        self.matched.append((event, self.scheduled.pop(event["EventId"])))
        if isinstance(scheduled, SendRequest) and scheduled.request_id not in event["Input"]:
            self._await_under_recorded_id(scheduled, event)

    def _await_under_recorded_id(self, request: SendRequest, event: Event) -> None:
        """A history from elsewhere: the answer will come under the id the request had there."""
        if waiting := self._waiting_for.pop(request.request_id, None):
            recorded_id = json.loads(event["Input"])["id"].lower()
            self._waiting_for[recorded_id] = [(recorded_id, wait) for _, wait in waiting]

    def _raise_event(self, event: Event) -> None:
        if self.continued is not None:
            self.carried.append(event)
            return
        name = event["Name"]
        if waiting := self._waiting_for.get(name.lower()):
            self._hear(name, waiting)
        else:
            self._buffered.setdefault(name.lower(), deque()).append(name)

    def _hear(self, name: str, waiting: list[tuple[str, Wait]]) -> None:
        waited_for, wait = waiting.pop()  # the last to wait is served first
        if waited_for != name:
            self.misheard.append((name, waited_for))
        wait.finish()

    def _suspend(self) -> None:
        self._suspended = True
        self._parked.update(self.scheduled)
        self.scheduled.clear()

    def _resume(self) -> None:
        self._suspended = False
        self.scheduled.update(self._parked)
        self._parked.clear()
        set_aside, self._set_aside = self._set_aside, []
        for event in set_aside:
            self.feed(event)

    # The action list

    def _each_in_turn(self, actions: Sequence[Action]) -> Iterator[Wait]:
        for action in actions:
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
        except Exception as error:  # the list holds what no host can read: that fails it there, too
            self.refusal = f"{type(error).__name__}: {error}"
        else:
            self._awaited = wait
            wait.then(self._advance)

    def _invoke(self, action: Action) -> Wait:
        return _INVOKE[action["actionType"]](self, action)

    def _schedule(self, scheduled: Scheduled) -> Wait:
        self.scheduled[scheduled.id] = scheduled
        self.open[scheduled.id] = scheduled
        wait = self._waits[scheduled.id] = Wait()
        return wait

    def _activity(self, action: Action) -> Wait:
        name = action["functionName"]
        if self._known.activity(name) is None:
            return self._unknown("activity", name)
        return self._schedule(CallActivity(self.take_id(), name, action["input"]))

    def _http(self, action: Action) -> Wait:
        request = json.dumps(action["httpRequest"])
        return self._schedule(CallActivity(self.take_id(), HTTP_ACTIVITY, request))

    def _child(self, action: Action) -> Wait:
        name = action["functionName"]
        if self._known.orchestrator(name) is None:
            return self._unknown("orchestrator", name)
        given_id, version = _text(action.get("instanceId")), _text(action.get("version"))
        if given_id and given_id.lower() in self._taken_ids:
            return self._drop(name, f"its id '{given_id}' is that of the caller or its parent")
        if given_id and given_id.startswith("@"):
            return self._drop(name, f"its id '{given_id}' begins with @, as only entities' ids do")
        task_id = self.take_id()
        instance_id = given_id or f"{self._execution_id}:{task_id}"
        return self._schedule(CallChild(task_id, name, instance_id, version, action["input"]))

    # In these two the host throws inside what it awaits, and swallows it: no id is taken, the list
    # goes on, and the SDK waits for ever.

    def _unknown(self, kind: str, name: str) -> Wait:
        self.unknown.append((kind, name))
        return Wait(done=True, failed=True)

    def _drop(self, name: str, why: str) -> Wait:
        self.dropped.append((name, why))
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
            return self._drop(name, f"it is to be retried after {milliseconds} ms, over six days")
        if attempts < 1:
            return self._drop(name, f"it is to be tried {attempts} times")
        pause = milliseconds * _MILLISECOND
        whole = Wait(acts=True)
        made = 0

        def attempt() -> None:
            nonlocal made
            made += 1
            task = call(action)
            task.then(lambda: settled(task))

        def settled(task: Wait) -> None:
            if not task.failed:
                whole.finish()
            elif made >= attempts:
                # The host's retry loop ends with a timer that fires at once.
                self._timer_at(self._now()).then(lambda: whole.finish(failed=True))
            else:
                self._timer_at(self._now() + pause).then(attempt)

        if self._is_unknown(action):
            return call(action)
        attempt()
        return whole

    def _is_unknown(self, action: Action) -> bool:
        name = action["functionName"]
        find = self._known.activity if action["actionType"] == 1 else self._known.orchestrator
        return find(name) is None

    def _timer(self, action: Action) -> Wait:
        wait = self._timer_at(history.read_stamp(action["fireAt"]))
        if action["isCanceled"]:
            task_id = self._next_id - 1
            del self._waits[task_id], self.open[task_id]
            wait.finish(failed=True)
        return wait

    def _now(self) -> datetime:
        return history.read_stamp(self._began)

    def _timer_at(self, fire_at: datetime) -> Wait:
        return self._schedule(CreateTimer(self.take_id(), fire_at))

    def _wait_for_event(self, action: Action) -> Wait:
        return self._wait_for(str(action["externalEventName"]))

    def _wait_for(self, name: str) -> Wait:
        wait = Wait()
        waiting = self._waiting_for.setdefault(name.lower(), [])
        waiting.append((name, wait))
        if buffered := self._buffered.get(name.lower()):
            self._hear(buffered.popleft(), waiting)
        return wait

    def _call_entity(self, action: Action) -> Wait:
        name = action["instanceId"].split("@")[1]
        if self._known.entity(name) is None:
            return self._unknown("entity", name)
        request = self._send(action, signal=False)
        return self._wait_for(request.request_id)

    def _signal_entity(self, action: Action) -> Wait:
        name = action["instanceId"].split("@")[1]
        if self._known.entity(name) is None:
            self.unknown.append(("entity", name))
            raise Refused(no_such_function("entity", name, self._known.durable_names("entity")))
        self._send(action, signal=True)
        return Wait(done=True)

    def _send(self, action: Action, *, signal: bool) -> SendRequest:
        task_id = self.take_id()
        request_id = str(uuid.uuid5(uuid.NAMESPACE_OID, f"{self._execution_id}:{task_id}"))
        request = SendRequest(
            task_id, action["instanceId"], action["operation"], action["input"], request_id, signal
        )
        self.scheduled[task_id] = request
        return request

    def _continue_as_new(self, action: Action) -> Wait:
        self.continued = action["input"]
        return Wait(done=True)

    def _when_any(self, action: Action) -> Wait:
        children = [self._invoke(child) for child in action["compoundActions"]]
        whole = Wait(acts=any(child.acts for child in children))
        for child in children:
            child.then(whole.finish)
        return whole

    def _when_all(self, action: Action) -> Wait:
        children = [self._invoke(child) for child in action["compoundActions"]]
        left = len(children)
        whole = Wait(done=left == 0, acts=any(child.acts for child in children))
        whole.all_of = children

        def one_less() -> None:
            nonlocal left
            left -= 1
            if left == 0:
                whole.finish(failed=any(child.failed for child in children))

        for child in children:
            child.then(one_less)
        return whole


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
    """A value as the host reads it where it wants words: a number counts as its digits."""
    return None if value is None else str(value)
