"""What stands in for activities in a test, and a record of every call."""

import inspect
import json
from collections import Counter
from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from durablehost.errors import FunctionFailed
from durablehost.hub.backend import ActivityWork
from durablehost.hub.clock import Clock


@dataclass(frozen=True)
class Call:
    """One run of an activity."""

    name: str
    input: Any
    instance_id: str
    at: datetime


class StandIns:
    """Runs the activity, or what a test put in its place."""

    def __init__(self, clock: Clock, run_real: Callable[[ActivityWork], Awaitable[str]]) -> None:
        self._clock = clock
        self._run_real = run_real
        self._replacements: dict[str, Callable[[Any], Any]] = {}
        self._failures: dict[tuple[str, int], Exception] = {}
        self._made: Counter[str] = Counter()
        self.calls: list[Call] = []

    def replace(self, name: str, replacement: Callable[[Any], Any]) -> None:
        self._replacements[name] = replacement

    def fail(self, name: str, error: Exception, on_call: int) -> None:
        self._failures[name, self._made[name] + on_call] = error

    async def run(self, activity: ActivityWork) -> str:
        """The activity's result as JSON text. Raises FunctionFailed."""
        name, value = activity.name, json.loads(activity.input)
        self._made[name] += 1
        self.calls.append(Call(name, value, activity.instance_id, self._clock.now()))
        if error := self._failures.pop((name, self._made[name]), None):
            raise FunctionFailed(type(error).__name__, str(error), "  (a test made it fail)")
        replacement = self._replacements.get(name)
        if replacement is None:
            return await self._run_real(activity)
        try:
            result = replacement(value)
            if inspect.isawaitable(result):
                result = await result
            return json.dumps(result)
        except Exception as error:  # a stand-in may fail as the activity does
            raise FunctionFailed(type(error).__name__, str(error), "  (a stand-in)") from error
