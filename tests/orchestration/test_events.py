"""An event reads the same, however it was sent; a malformed one is None."""

import pytest
from pydantic import BaseModel

from durablehost.testing import ManualHub
from orchestration.events import event_data, event_value


class Decision(BaseModel):
    approved: bool
    comment: str = ""


@pytest.mark.parametrize("raw", ['{"approved": true}', {"approved": True}])
def test_both_forms_of_an_event_read_the_same(raw: object) -> None:
    assert event_data(raw, Decision) == Decision(approved=True)


@pytest.mark.parametrize(
    "raw",
    ["", "no json", '{"approved": "yes"}', '{"approved": 1}', "null", None, [], 5, {}, '"text"'],
)
def test_a_malformed_event_is_none(raw: object) -> None:
    assert event_data(raw, Decision) is None


@pytest.mark.parametrize("value", [None, True, 5, "text", ["a"], {"a": None}])
@pytest.mark.parametrize("as_http", [True, False])
async def test_the_value_that_was_sent_arrives(
    hub: ManualHub, value: object, as_http: bool
) -> None:
    instance = await hub.start("waiter", 60)

    await hub.raise_event(instance, "Answered", value, as_http=as_http)

    assert hub.output(instance)[0] == value


@pytest.mark.parametrize("text", ["plain words", "[" * 100_000])
def test_a_text_that_is_no_json_is_itself(text: str) -> None:
    assert event_value(text) == text
