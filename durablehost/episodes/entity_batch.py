"""A batch of operations on one entity: requests in, a decision out."""

import json
import uuid
from collections.abc import Callable
from dataclasses import dataclass
from typing import cast

from durablehost.errors import FunctionFailed
from durablehost.hub import history, problems
from durablehost.hub.backend import Decision, EntityWork, Instance, Message
from durablehost.hub.client import state_of
from durablehost.hub.clock import Clock
from durablehost.hub.history import EXTENSION, Event, compact


@dataclass(slots=True)
class _State:
    """The state of an entity as its function gets and returns it."""

    exists: bool
    text: str | None  # JSON

    @classmethod
    def of(cls, entity: Instance | None) -> "_State":
        exists = bool(entity and json.loads(entity.input or "{}").get("exists"))
        return cls(exists, state_of(entity) if entity and exists else None)


def run_entity_batch(work: EntityWork, operate: Callable[[str], str], clock: Clock) -> Decision:
    """Run the operations in order; `operate` is the entity function, called through the SDK."""
    try:
        state, replies = _run(work.id, _State.of(work.instance), work.requests, operate)
    except Exception:  # of the app, outside an operation: one of them must not fail the others
        return _run_one_by_one(work, operate, clock)
    return _decision(work, state, replies, clock)


def failed_batch(work: EntityWork, failure: str | Event, clock: Clock) -> Decision:
    """The decision if all operations fail in this way and the state stays as it was."""
    replies = [_failure(failure) for _ in work.requests]
    return _decision(work, _State.of(work.instance), replies, clock)


def _run_one_by_one(work: EntityWork, operate: Callable[[str], str], clock: Clock) -> Decision:
    state, replies, found = _State.of(work.instance), [], []
    for request in work.requests:
        try:
            state, reply = _run(work.id, state, [request], operate)
        except Exception as error:  # of the app
            words = str(error) if isinstance(error, FunctionFailed) else _words_of(error)
            reply = [_failure(words)]
            found.append(problems.failed_outside_operation(request["op"], words))
        replies += reply
    decision = _decision(work, state, replies, clock)
    decision.problems += found
    return decision


def _words_of(error: Exception) -> str:
    return f"{type(error).__name__}: {error}"


def _failure(failure: str | Event) -> Event:
    return {"isError": True, "result": json.dumps(failure)}


def _run(
    entity_id: str, state: _State, requests: list[Event], operate: Callable[[str], str]
) -> tuple[_State, list[Event]]:
    """Call the entity function. Returns the new state, and a reply for each request."""
    result = json.loads(operate(_batch(entity_id, state, requests)))
    return _State(result["entityExists"], result["entityState"]), result["results"]


def _decision(work: EntityWork, state: _State, replies: list[Event], clock: Clock) -> Decision:
    now = clock.now()
    kept = {"exists": True} if state.exists else {}
    before = work.instance
    instance = Instance(
        id=work.id,
        name=work.id,
        version=None,
        execution_id=before.execution_id if before else uuid.uuid4().hex,
        generation=0,
        status="Running",
        input=compact({**kept, "state": state.text, "sorter": {}}),
        output=None,
        custom_status='{"entityExists":true}' if state.exists else "{}",
        created=before.created if before else now,
        updated=now,
    )
    decision = Decision(instance)
    for request, reply in zip(work.requests, replies, strict=True):
        if not request["signal"]:
            decision.messages.append(_reply(request, reply, clock))
        elif reply["isError"] and _is_unreadable(request["input"], json.loads(reply["result"])):
            decision.problems.append(problems.unreadable_signal(request["op"], request["input"]))
    return decision


def _batch(entity_id: str, state: _State, requests: list[Event]) -> str:
    _, name, key = entity_id.split("@", 2)
    return json.dumps(
        {
            "self": {"name": name, "key": key},
            "exists": state.exists,
            "state": state.text,
            "batch": [
                {
                    "name": request["op"],
                    "input": request["input"],
                    "isSignal": request["signal"],
                    "id": request["id"],
                }
                for request in requests
            ],
        }
    )


def _reply(request: Event, reply: Event, clock: Clock) -> Message:
    failed = {"exceptionType": "Error"} if reply["isError"] else {}
    message = {"$type": f"{EXTENSION}.ResponseMessage, {EXTENSION}", "result": reply["result"]}
    event = history.event_raised(clock.now(), request["id"], compact({**message, **failed}))
    return Message(request["parent"], event, request["parentExecution"])


def _is_unreadable(input_text: str | None, failure: str) -> bool:
    """Whether an operation failed with this text because `get_input()` could not read its input.

    It reads JSON text that holds JSON text. An operation may fail for other reasons, too.
    """
    try:
        json.loads(json.loads(cast(str, input_text)))
    except RecursionError:
        return True
    except (ValueError, TypeError) as error:
        return str(error) == failure
    return False
