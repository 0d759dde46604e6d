"""Triggers besides HTTP and orchestrations: timers, queues and blobs."""

import asyncio
import contextlib
import functools
import logging
from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Protocol

from durablehost.app.functions import Function, FunctionTable
from durablehost.calling.storage_on_demand import storage_packages
from durablehost.hub.clock import Clock
from durablehost.triggers.options import QueueOptions, TriggerOptions
from durablehost.triggers.running import Invoke, succeeds
from durablehost.triggers.state import TriggerState
from durablehost.triggers.timers import SleepUntil, TimerTrigger, sleeping_by
from durablehost.triggers.values import from_text

if TYPE_CHECKING:
    from durablehost.triggers.blob_events import BlobEventTrigger
    from durablehost.triggers.storage import StorageTriggers

__all__ = ["QueueOptions", "TriggerOptions", "TriggerState", "Triggers"]

log = logging.getLogger(__name__)

_EVENT_GRID = "EventGrid"
_HOST_FUNCTIONS = "Host.Functions."
# durablehost ends within two seconds. Of these, functions may go on for so long, and the putting
# back of what they did not end may take the rest.
_GRACE_SECONDS = 0.5
_LONGEST_STOP_SECONDS = 1.0


class Trigger(Protocol):
    """The trigger of one function."""

    async def serve(self) -> None:
        """Run the function whenever it is triggered, until stopped."""
        ...

    async def stop(self, grace_seconds: float) -> None:
        """Begin no more runs, and wait this long for those that run."""
        ...

    async def run_now(self, text: str) -> None:
        """Run the function once on this text, and log failures."""
        ...


class Triggers:
    """The triggers of an app's functions, from `start` to `stop`."""

    def __init__(
        self,
        table: FunctionTable,
        invoke: Invoke,
        clock: Clock,
        environ: Mapping[str, str],
        state: TriggerState,
        *,
        options: TriggerOptions | None = None,
        sleep_until: SleepUntil | None = None,
    ) -> None:
        self._table = table
        self._invoke = invoke
        self._clock = clock
        self._environ = environ
        self._state = state
        self._options = options or TriggerOptions()
        self._sleep_until = sleep_until or sleeping_by(clock)
        self._storage: StorageTriggers | None = None
        self._triggers: dict[str, Trigger] = {}
        self._blob_events: dict[str, BlobEventTrigger] = {}
        self._serving: list[asyncio.Task[None]] = []

    def start(self) -> None:
        """Start every trigger. Log why a trigger cannot fire."""
        for function in self._table.functions:
            if function.kind in ("timer", "queue", "blob"):
                self._start(function)
            elif function.kind == "other":
                _will_not_fire(function)

    async def stop(self) -> None:
        """End within a second, even if functions or storages hang."""
        stopping = [trigger.stop(_GRACE_SECONDS) for trigger in self._triggers.values()]
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(_LONGEST_STOP_SECONDS):
                await asyncio.gather(*stopping)
                await asyncio.gather(*self._serving, return_exceptions=True)
        for task in self._serving:
            task.cancel()
        await asyncio.gather(*self._serving, return_exceptions=True)
        if self._storage is not None:
            await self._storage.close()

    async def run_now(self, function: Function, input_text: str) -> None:
        """Run a function once on this input. The caller has its answer, so failures are logged.

        A timer takes no input, a queue function the text as its message, a blob function the
        path of a blob, any other what its trigger makes of the text.
        """
        if function.kind == "other":
            value = functools.partial(from_text, function.trigger, input_text)
            await succeeds(self._invoke, function, value, "the input given")
            return
        try:
            trigger = self._triggers.get(function.name) or self._make(function)
        except ValueError as error:
            log.error("%s does not run: %s", function.name, error)
            return
        await trigger.run_now(input_text)

    def blobs_created(self, function_id: str, blobs: Sequence[tuple[str, str]]) -> None:
        """Run the function `Host.Functions.NAME` on these blobs, each (container, name), soon."""
        trigger = self._blob_events.get(function_id.removeprefix(_HOST_FUNCTIONS))
        if trigger is None or not function_id.startswith(_HOST_FUNCTIONS):
            log.warning(
                "Event Grid names the function %r, which has no blob trigger with "
                "source=func.BlobSource.EVENT_GRID. The functionName has to be one of: %s",
                function_id,
                ", ".join(f"{_HOST_FUNCTIONS}{name}" for name in self._blob_events) or "(none)",
            )
            return
        trigger.take(blobs)

    def _start(self, function: Function) -> None:
        if function.is_disabled:
            log.info("%s is disabled: its trigger does not fire", function.name)
            return
        try:
            trigger = self._make(function)
        except ValueError as error:
            log.warning("%s does not fire: %s", function.name, error)
            return
        self._serving.append(asyncio.create_task(_served(function, trigger)))

    def _make(self, function: Function) -> Trigger:
        trigger: Trigger
        if function.kind == "timer":
            trigger = self._timer(function)
        elif function.kind == "queue":
            trigger = self._storage_triggers().queue(function)
        elif function.kind == "blob" and function.trigger.get("source") == _EVENT_GRID:
            trigger = self._blob_events[function.name] = self._storage_triggers().blob_events(
                function
            )
        elif function.kind == "blob":
            trigger = self._storage_triggers().blob(function)
        else:
            raise ValueError(f"a function of kind {function.kind} is started by its callers")
        self._triggers[function.name] = trigger
        return trigger

    def _timer(self, function: Function) -> TimerTrigger:
        return TimerTrigger(
            function, self._invoke, self._clock, self._sleep_until, self._state, self._environ
        )

    def _storage_triggers(self) -> "StorageTriggers":
        """Raises ValueError where the packages of Azure Storage are not installed."""
        if self._storage is None:
            with storage_packages():
                from durablehost.triggers.storage import StorageTriggers

            self._storage = StorageTriggers(self._invoke, self._environ, self._state, self._options)
        return self._storage


async def _served(function: Function, trigger: Trigger) -> None:
    try:
        await trigger.serve()
    except Exception:  # a fault of durablehost, which must be logged
        log.exception("%s: its trigger has ended. Start durablehost again.", function.name)


def _will_not_fire(function: Function) -> None:
    log.warning(
        "%s: its trigger (%s) does not fire here. Run it with POST /admin/functions/%s with "
        '{"input": "..."} as its body.',
        function.name,
        function.trigger["type"],
        function.name,
    )
