"""What an instance waits for, as the walk over its history found it."""

import json
from collections.abc import Iterator
from dataclasses import dataclass, field
from datetime import datetime, timedelta

from durablehost.episodes.scheduled import (
    HTTP_ACTIVITY,
    CallActivity,
    CallChild,
    CreateTimer,
    SendRequest,
)
from durablehost.episodes.walk import Walk


@dataclass(frozen=True, slots=True)
class Waits:
    """What an instance waits for. If all are empty, it has ended or can never continue."""

    events: tuple[str, ...] = ()
    timers: tuple[datetime, ...] = ()
    activities: tuple[str, ...] = ()  # of a `call_http` its method and URL
    children: tuple[str, ...] = ()  # instance ids
    entities: tuple[str, ...] = ()  # '@name@key'
    now: datetime | None = field(default=None, repr=False, compare=False)

    def __str__(self) -> str:
        return ", ".join(self._words()) or "nothing that can come"

    def _words(self) -> Iterator[str]:
        yield from (f"the event '{name}'" for name in self.events)
        for time in self.timers:
            left = f" (in {_in_words(time - self.now)})" if self.now else ""
            yield f"the timer of {time:%Y-%m-%d %H:%M:%S}{left}"
        yield from (f"the activity '{name}'" for name in self.activities)
        yield from (f"the child '{instance_id}'" for instance_id in self.children)
        yield from (f"the entity '{entity_id}'" for entity_id in self.entities)


def waits_of(walk: Walk, now: datetime) -> Waits:
    """What is open at the end of a walk; `now` is for the words about timers."""
    # The id of a request is that of the host that wrote the history.
    requests = {
        json.loads(event["Input"])["id"].lower(): item.target
        for event, item in walk.tasks.matched
        if isinstance(item, SendRequest)
    }
    names = walk.events.expected
    items = list(walk.tasks.open.values())
    return Waits(
        events=tuple(name for name in names if name.lower() not in requests),
        timers=tuple(sorted(item.fire_at for item in items if isinstance(item, CreateTimer))),
        activities=tuple(_named(item) for item in items if isinstance(item, CallActivity)),
        children=tuple(item.instance_id for item in items if isinstance(item, CallChild)),
        entities=tuple(requests[name.lower()] for name in names if name.lower() in requests),
        now=now,
    )


def _named(item: CallActivity) -> str:
    if item.name != HTTP_ACTIVITY:
        return item.name
    request = json.loads(item.input)
    return f"{request['method']} {request['uri']}"


def _in_words(time: timedelta) -> str:
    """A time span as text: '3 days, 1:30:00'."""
    return str(timedelta(seconds=round(time.total_seconds())))
