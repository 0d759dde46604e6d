"""The custom status of an episode, and the largest there can be."""

import json
from typing import Any

import pytest

from durablehost.hub.backend import Decision
from tests.durablehost.episodes.stepping import (
    Context,
    Episodes,
    Flow,
    output,
    raised,
)


def with_status(status: Any) -> Decision:
    def flow(context: Context) -> Flow:
        context.set_custom_status(status)
        yield context.call_activity("act")

    return Episodes(flow).begin()


def test_the_last_custom_status_counts() -> None:
    def flow(context: Context) -> Flow:
        context.set_custom_status({"page": 1})
        yield context.wait_for_external_event("go")
        context.set_custom_status({"page": 2})
        yield context.wait_for_external_event("go on")

    instance = Episodes(flow)

    assert instance.begin().instance.custom_status == '{"page":1}'
    assert instance.next(raised("go")).instance.custom_status == '{"page":2}'


@pytest.mark.parametrize("nothing", [0, "", False, [], {}, None], ids=repr)
def test_a_custom_status_of_nothing_is_none(nothing: Any) -> None:
    assert with_status(nothing).instance.custom_status is None


def test_a_custom_status_of_sixteen_kilobytes_is_the_largest() -> None:
    fits, too_big = "x" * (17 * 512 - 3), "x" * (17 * 512 - 2)  # with its quotes, in UTF-16

    assert with_status(fits).instance.custom_status == json.dumps(fits)
    decision = with_status(too_big)
    assert (decision.instance.status, decision.instance.custom_status) == ("Failed", None)
    assert output(decision) == (
        "Orchestrator function 'flow' failed: The UTF-16 size of the JSON-serialized payload must"
        " not exceed 16 KB. The current payload size is 17 KB."
    )


def test_a_custom_status_is_measured_in_units_of_utf_16() -> None:
    fits, too_big = "😀" * (17 * 256 - 2), "😀" * (17 * 256 - 1)

    assert with_status(fits).instance.status == "Running"
    assert with_status(too_big).instance.status == "Failed"
