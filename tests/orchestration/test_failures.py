"""The code of a Failure survives activities, children and entities; its other text does not."""

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from durablehost.testing import ManualHub
from orchestration.failures import Failure, failure_of

DETAILS = (
    '{"ClassName":"System.Exception","StackTraceString":"  File \\"/home/site/a.py\\", line 1"}'
)


RECORDED = Path(__file__).parents[1] / "conformance" / "turns.jsonl"
TOLD = Failure("order_unknown", "no order PO-1", retriable=True)
# What was raised when the real host was recorded: by an activity, by a child's, by an entity.
RAISED = ("ValueError: boom two", "ValueError: boom child", "entity exploded")


def recorded(raised: str, now: str) -> Iterator[str]:
    """The texts of failures in recorded histories, had they been raised with other words."""
    for line in RECORDED.read_text("utf-8").splitlines():
        given = json.loads(line.replace(raised, now))["in"]
        for event in given.get("history", []) if isinstance(given, dict) else []:
            if now in (event.get("Reason") or ""):
                yield f"{event['Reason']} \n {event['Details']}"  # as the SDK puts it together
            elif now in (event.get("Input") or "") and "exceptionType" in event["Input"]:
                answer: dict[str, Any] = json.loads(event["Input"])
                yield json.loads(answer["result"])


@pytest.mark.parametrize("raised", RAISED)
def test_the_code_is_read_from_the_texts_of_the_real_host(raised: str) -> None:
    name = "Failure: " if raised.startswith("ValueError") else ""

    texts = list(recorded(raised, f"{name}{TOLD}"))

    assert texts
    read = [failure_of(Exception(text)) for text in texts]
    assert {(each.code, each.message, each.retriable) for each in read} == {
        ("order_unknown", "no order PO-1", True)
    }


def by_activity(words: str) -> Exception:
    """What an orchestrator gets when an activity raised."""
    return Exception(f"Activity function 'post_invoice' failed: {words} \n {DETAILS}")


def test_the_code_is_read_from_the_text_of_an_activity() -> None:
    failure = failure_of(by_activity(f"Failure: {Failure('order_unknown', 'no order PO-1')}"))

    assert failure.as_data() == {"code": "order_unknown", "message": "no order PO-1"}
    assert not failure.retriable


def test_retriable_is_read_from_the_text() -> None:
    told = Failure("bank_unavailable", "the bank does not answer", retriable=True)

    assert failure_of(by_activity(f"Failure: {told}")).retriable


def test_the_code_is_read_from_the_text_of_two_orchestrators() -> None:
    inner = by_activity(f"Failure: {Failure('closed', 'the month is closed')}")
    text = (
        f"Orchestrator function 'close' failed: Orchestrator function 'vendor' failed: {inner}"
        " \n None"
    )

    assert failure_of(Exception(text)).code == "closed"


def test_the_code_is_read_from_a_failure_that_an_orchestrator_raised() -> None:
    text = f"Orchestrator function 'close' failed: {Failure('closed', 'it is [closed]')}"

    assert failure_of(text).as_data() == {"code": "closed", "message": "it is [closed]"}


@pytest.mark.parametrize(
    "unforeseen",
    [
        by_activity("KeyError: 'amount'"),
        by_activity("ValueError: [not_a_code] of ours"),
        Exception("Non-Deterministic workflow detected: A previous execution …"),
        Exception(""),
        None,
        {"code": "posing", "message": "as a failure"},
    ],
)
def test_an_unexpected_exception_is_internal_and_its_text_is_hidden(unforeseen: object) -> None:
    failure = failure_of(unforeseen)

    assert failure.as_data() == {
        "code": "internal",
        "message": "something unexpected stopped this work; the app's log has it",
    }
    assert failure.retriable


def test_a_message_of_many_lines_becomes_one() -> None:
    failure = Failure("refused", "the bank says:\n  no \n {}")

    assert failure_of(by_activity(f"Failure: {failure}")).message == "the bank says: no {}"


def test_a_message_that_looks_like_a_code_does_not_replace_the_code() -> None:
    failure = Failure("vendor_unknown", "vendor '[paid] all is well' is unknown")

    assert failure_of(by_activity(f"Failure: {failure}")).code == "vendor_unknown"


@pytest.mark.parametrize("code", ["", "Not lower", "with space", "[x]", "ü"])
def test_an_invalid_code_is_refused(code: str) -> None:
    with pytest.raises(ValueError, match="use lower case"):
        Failure(code, "words")


async def test_the_code_survives_a_child(hub: ManualHub) -> None:
    hub.fail_activity("do_work", Failure("order_unknown", "no order PO-1"))

    instance = await hub.start("parent")

    assert hub.output(instance) == {"code": "order_unknown", "message": "no order PO-1"}


async def test_the_code_survives_three_orchestrators(
    hub: ManualHub,
) -> None:
    instance = await hub.start("grandparent")

    failure = failure_of(hub.output(instance))

    assert failure.as_data() == {"code": "closed", "message": "the month is [closed]"}
    assert failure.retriable


async def test_the_code_survives_the_call_of_an_entity(hub: ManualHub) -> None:
    instance = await hub.start("refused_by_an_entity")

    assert hub.output(instance)["code"] == "refused"


@pytest.mark.parametrize(
    "text",
    ["", "None", "Activity function 'post_invoice' failed: ", "Activity function failed: None"],
)
def test_a_failure_without_a_readable_text_is_internal_and_retriable(text: str) -> None:
    """The Durable Task Scheduler can lose them (azure-functions-durable-python#562)."""
    failure = failure_of(Exception(text))

    assert (failure.code, failure.retriable) == ("internal", True)
