"""An operation of an entity happens as a whole or not at all, whatever its signal brings."""

import json
from typing import Any, Final

import azure.durable_functions as df

from orchestration.failures import Failure
from orchestration.operating import Operations, operate

Items = dict[str, list[Any]]


def _put(items: Items, item: Any) -> tuple[Items, int]:
    if item == "poison":
        items["kept"].append(item)
        raise Failure("poison", "this is poison")
    after = {"kept": [*items["kept"], item]}
    return after, len(after["kept"])


OPERATIONS: Final[Operations[Items]] = {"put": _put}


def handed(*operations: tuple[str, str | None]) -> dict[str, Any]:
    """What an entity answers to operations that the host hands over together, one a message."""
    handle = df.Entity.create(lambda context: operate(context, lambda: {"kept": []}, OPERATIONS))
    batch = [{"name": name, "input": data} for name, data in operations]
    context = {"self": {"name": "box", "key": "a"}, "exists": False, "state": None, "batch": batch}
    answer: dict[str, Any] = json.loads(handle(json.dumps(context)))
    return answer


def test_the_state_is_what_the_last_operation_has_left() -> None:
    answer = handed(("put", r'"\"a\""'), ("put", r'"{\"b\": 1}"'))

    assert [result["result"] for result in answer["results"]] == ["1", "2"]
    assert json.loads(answer["entityState"]) == {"kept": ["a", {"b": 1}]}


def test_a_signal_that_brings_nothing_is_an_operation_without_input() -> None:
    """The host hands null over where a client's signal had no body."""
    answer = handed(("put", None), ("put", '"null"'))

    assert [result["isError"] for result in answer["results"]] == [False, False]
    assert json.loads(answer["entityState"]) == {"kept": [None, None]}


def test_an_operation_that_nobody_knows_is_refused_by_its_name() -> None:
    answer = handed(("dance" * 100, '"null"'))

    [result] = answer["results"]
    assert result["isError"]
    assert "[unknown_operation] operation 'dancedance" in result["result"]
    assert len(result["result"]) < 200
