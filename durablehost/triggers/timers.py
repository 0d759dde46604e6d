"""Timer triggers: run a function on its schedule, and once late if durablehost was down."""

import asyncio
import contextlib
import json
import logging
from collections.abc import Awaitable, Callable, Mapping
from datetime import datetime, timedelta
from typing import Any

from durablehost.app.functions import Function
from durablehost.app.ncrontab import NEVER, parse
from durablehost.hub.clock import Clock
from durablehost.settings.percent_names import resolve
from durablehost.triggers.running import Invoke, succeeds
from durablehost.triggers.schedule_status import (
    NEVER_YET,
    ScheduleStatus,
    adapted,
    after_run,
    for_new_timer,
)
from durablehost.triggers.state import TriggerState
from durablehost.triggers.values import timer_request

log = logging.getLogger(__name__)

SleepUntil = Callable[[datetime], Awaitable[None]]

# The machine may sleep, or its clock may be set: check it regularly.
_LONGEST_SLEEP = timedelta(minutes=1)


def sleeping_by(clock: Clock) -> SleepUntil:
    """Wait for a time on this clock."""

    async def sleep_until(time: datetime) -> None:
        while (left := time - clock.now()) > timedelta(0):  # noqa: ASYNC110 # a clock sets no event
            await asyncio.sleep(min(left, _LONGEST_SLEEP).total_seconds())

    return sleep_until


class TimerTrigger:
    """Runs one function on its schedule, never twice at once."""

    def __init__(
        self,
        function: Function,
        invoke: Invoke,
        clock: Clock,
        sleep_until: SleepUntil,
        state: TriggerState,
        environ: Mapping[str, str],
    ) -> None:
        """Raises ValueError for an invalid schedule."""
        self._function = function
        self._invoke = invoke
        self._clock = clock
        self._sleep_until = sleep_until
        self._state = state
        self._key = f"timer:{function.name}"
        self._schedule = parse(resolve(str(function.trigger.get("schedule", "")), environ))
        self._running = asyncio.Lock()
        self._stopped = False
        self._serving: asyncio.Task[Any] | None = None
        monitor = function.trigger.get("useMonitor")
        self._is_monitored = monitor is not False and self._schedule.is_monitored

    async def serve(self) -> None:
        """Run the function whenever it is due."""
        self._serving = asyncio.current_task()
        started = self._clock.now()
        kept = self._kept(started)
        status = kept or ScheduleStatus(NEVER_YET, self._schedule.next_after(started), NEVER_YET)
        if kept and started > kept.next:
            log.info("%s: was due at %s, runs now", self._function.name, kept.next)
            status = await self._run(status, past_due=True)
        elif self._function.trigger.get("runOnStartup"):
            status = await self._run(status)
        while status.next < NEVER and not self._stopped:
            await self._sleep_until(status.next)
            if self._stopped:
                break
            status = await self._run(status, due=status.next)

    async def stop(self, grace_seconds: float) -> None:
        """Start no more runs, and wait this long for the current one."""
        self._stopped = True
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(grace_seconds), self._running:
                pass
        if self._serving is not None:
            self._serving.cancel()

    def _kept(self, now: datetime) -> ScheduleStatus | None:
        """The status from earlier starts; None for a new timer."""
        if not self._is_monitored:
            return None
        text = self._state.get(self._key)
        if text is None:
            self._keep(for_new_timer(self._schedule, now))
            return None
        before = ScheduleStatus.from_text(text)
        status = adapted(before, self._schedule, now)
        if status != before:
            self._keep(status)
        return status

    def _keep(self, status: ScheduleStatus) -> None:
        if self._is_monitored:
            self._state.put(self._key, json.dumps(status.to_json()))

    async def _run(
        self, status: ScheduleStatus, *, past_due: bool = False, due: datetime = NEVER_YET
    ) -> ScheduleStatus:
        at = self._clock.now()
        shown = status if self._is_monitored else None
        async with self._running:
            await succeeds(
                self._invoke,
                self._function,
                lambda: timer_request(self._schedule, shown, past_due=past_due),
                "its schedule",
            )
        # If the timer fired a moment early, the same occurrence would be due again.
        status = after_run(self._schedule, max(at, due))
        self._keep(status)
        return status

    async def run_now(self, text: str) -> None:
        """Run the function once outside of its schedule. The text is not used."""
        kept = self._state.get(self._key) if self._is_monitored else None
        status = ScheduleStatus.from_text(kept) if kept else None
        await succeeds(
            self._invoke,
            self._function,
            lambda: timer_request(self._schedule, status, past_due=False),
            "request",
        )
