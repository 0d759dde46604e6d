"""Fires the timer functions of the app by the clock of a test hub."""

import logging
import os
from datetime import datetime
from typing import Final

import azure.functions as func

from durablehost.app.functions import Function, FunctionTable
from durablehost.app.ncrontab import NEVER, Schedule, parse
from durablehost.settings import Settings
from durablehost.settings.percent_names import resolve
from durablehost.triggers.schedule_status import NEVER_YET, ScheduleStatus, after_run
from durablehost.triggers.values import timer_request

log = logging.getLogger(__name__)


class _Timer:
    """One timer function."""

    def __init__(self, function: Function, since: datetime) -> None:
        """Raises ValueError for a schedule that cannot be read."""
        self.function = function
        self._schedule: Final[Schedule] = parse(
            resolve(str(function.trigger.get("schedule", "")), os.environ)
        )
        self.status = ScheduleStatus(NEVER_YET, self._schedule.next_after(since), NEVER_YET)
        monitor = function.trigger.get("useMonitor")
        self._is_monitored = monitor is not False and self._schedule.is_monitored

    def skip_to(self, now: datetime) -> None:
        """Skip what was due before."""
        if self.status.next <= now:
            last = self.status.last
            self.status = ScheduleStatus(last, self._schedule.next_after(now), now)

    def fire(self) -> func.TimerRequest:
        """Return what the function receives now, and set its next due time."""
        shown = self.status if self._is_monitored else None
        request = timer_request(self._schedule, shown, past_due=False)
        self.status = after_run(self._schedule, self.status.next)
        return request


class TimerFunctions:
    """The timer functions of an app, which fire while `advance` lets time pass."""

    def __init__(self, table: FunctionTable, settings: Settings, began: datetime) -> None:
        self._table = table
        self._settings = settings
        self._began = began
        self._stopped: set[str] = set()
        self._timers: list[_Timer] | None = None  # read late: schedules may name settings

    def stop(self, *names: str) -> None:
        """Stop firing these functions; without names, all of them."""
        self._stopped.update(names or [each.name for each in self._table.of_kind("timer")])

    def begin(self, now: datetime) -> None:
        """Begin to let time pass. Skip what was due while time passed outside of `advance`."""
        if self._timers is None:
            self._timers = self._read()
        for timer in self._timers:
            timer.skip_to(now)

    def _read(self) -> list[_Timer]:
        timers = []
        for function in self._table.of_kind("timer"):
            if function.is_disabled:
                continue
            try:
                timers.append(_Timer(function, self._began))
            except ValueError as error:
                log.warning("%s does not fire: %s", function.name, error)
        return timers

    def next_due(self) -> datetime | None:
        """When the next timer function fires; None if none does."""
        due = [timer.status.next for timer in self._firing()]
        return min(due, default=None)

    def fire_due(self, now: datetime) -> list[tuple[Function, func.TimerRequest]]:
        """The functions that are due, and what each receives."""
        return [
            (timer.function, timer.fire()) for timer in self._firing() if timer.status.next <= now
        ]

    def _firing(self) -> list[_Timer]:
        return [
            timer
            for timer in self._timers or []
            if timer.function.name not in self._stopped and timer.status.next < NEVER
        ]
