"""Creates the values for trigger functions with the SDK's converters, as the real worker does."""

import json
from collections.abc import Mapping
from types import SimpleNamespace
from typing import Any, cast

import azure.functions as func
from azure.functions.meta import Datum

from durablehost.app.ncrontab import Schedule
from durablehost.app.signatures import converter_of
from durablehost.triggers.schedule_status import ScheduleStatus


def timer_request(
    schedule: Schedule, status: ScheduleStatus | None, *, past_due: bool
) -> func.TimerRequest:
    """`status` is None for a schedule that is not monitored."""
    info = {
        "Schedule": {"AdjustForDST": schedule.is_cron},
        "ScheduleStatus": status.to_json() if status else None,
        "IsPastDue": past_due,
    }
    return cast(func.TimerRequest, decode("timerTrigger", as_json(info), {}))


def from_text(trigger: Mapping[str, Any], text: str) -> object:
    """The value that another kind of trigger makes of a text. Raises ValueError if it cannot."""
    trigger_type = str(trigger["type"])
    if converter_of(trigger_type) is None:
        return text
    # A Service Bus message needs the first, an Event Hubs event the second.
    metadata = {"UserProperties": as_json({}), "SystemProperties": as_json({})}
    ways = [(Datum(text, "json"), metadata), (Datum(text, "string"), metadata)]
    if str(trigger.get("cardinality", "")).upper() == "MANY":
        ways = [(_batch_of_one(text), {"SystemPropertiesArray": as_json([{}])})]
    for datum, described in ways:
        try:
            return decode(trigger_type, datum, described)
        # The converters of the SDK raise different exceptions for values that they cannot read.
        except (NotImplementedError, AttributeError, KeyError, TypeError, ValueError):
            continue
    raise ValueError(f"{text[:100]!r} cannot be read by its trigger ({trigger_type})")


def _batch_of_one(text: str) -> Datum:
    return Datum(SimpleNamespace(string=[text]), "collection_string")


def decode(trigger_type: str, datum: Datum, metadata: Mapping[str, Datum]) -> Any:
    return converter_of(trigger_type).decode(datum, trigger_metadata=metadata)


def as_json(value: object) -> Datum:
    return Datum(json.dumps(value), "json")
