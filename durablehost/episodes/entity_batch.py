"""A batch of operations on one entity: requests in, a decision out."""

import json
import uuid
from collections.abc import Callable
from typing import cast

from durablehost.hub import history, problems
from durablehost.hub.backend import Decision, EntityWork, Instance, Message
from durablehost.hub.client import state_of
from durablehost.hub.clock import Clock
from durablehost.hub.history import EXTENSION, Event, compact


def run_entity_batch(work: EntityWork, operate: Callable[[str], str], clock: Clock) -> Decision:
    """Run the operations in order; `operate` is the entity function, called through the SDK."""
    result = json.loads(operate(_batch(work)))
    now = clock.now()
    exists = result["entityExists"]
    kept = {"exists": True} if exists else {}
    before = work.instance
    instance = Instance(
        id=work.id,
        name=work.id,
        version=None,
        execution_id=before.execution_id if before else uuid.uuid4().hex,
        generation=0,
        status="Running",
        input=compact({**kept, "state": result["entityState"], "sorter": {}}),
        output=None,
        custom_status='{"entityExists":true}' if exists else "{}",
        created=before.created if before else now,
        updated=now,
    )
    decision = Decision(instance)
    for request, reply in zip(work.requests, result["results"], strict=True):
        if not request["signal"]:
            decision.messages.append(_reply(request, reply, clock))
        elif reply["isError"] and _is_unreadable(request["input"], json.loads(reply["result"])):
            decision.problems.append(problems.unreadable_signal(request["op"], request["input"]))
    return decision


def _batch(work: EntityWork) -> str:
    _, name, key = work.id.split("@", 2)
    kept = json.loads(work.instance.input or "{}") if work.instance else {}
    exists = bool(kept.get("exists"))
    return json.dumps(
        {
            "self": {"name": name, "key": key},
            "exists": exists,
            "state": state_of(work.instance) if work.instance and exists else None,
            "batch": [
                {
                    "name": request["op"],
                    "input": request["input"],
                    "isSignal": request["signal"],
                    "id": request["id"],
                }
                for request in work.requests
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
