"""Runs activities beside the work loop, and keeps each result until it is on disk."""

import asyncio
import logging
from collections.abc import Awaitable, Callable, Iterator
from typing import Protocol

from durablehost.app.functions import Function, FunctionTable
from durablehost.episodes.activity_ends import end_of, failed_activity
from durablehost.episodes.scheduled import HTTP_ACTIVITY
from durablehost.errors import DurablehostError, FunctionFailed
from durablehost.hub import history
from durablehost.hub.backend import ActivityWork, Backend
from durablehost.hub.clock import Clock
from durablehost.hub.history import Event

log = logging.getLogger(__name__)


class ActivityCaller(Protocol):
    """Calls the activities of the app."""

    async def activity(
        self, function: Function, input_text: str, instance_id: str, client_payload: str
    ) -> str: ...


class ActivityRunner:
    """Runs an activity: a function of the app, or the built-in one for durable HTTP."""

    def __init__(
        self,
        table: FunctionTable,
        caller: ActivityCaller,
        clock: Clock,
        call_http: Callable[[str], Awaitable[str]],
        client_payload: str,
    ) -> None:
        self._table = table
        self._caller = caller
        self._clock = clock
        self._call_http = call_http
        self._client_payload = client_payload

    async def end_of(self, activity: ActivityWork) -> Event:
        """Run an activity; the event for its orchestrator."""
        function = self._table.activity(activity.name)
        if function is None and activity.name != HTTP_ACTIVITY:
            name = activity.name
            words = f"Activity function '{name}' failed: Activity function '{name}' does not exist."
            return history.task_failed(self._clock.now(), activity.task_id, words, None)
        running = self._result(function, activity) if function else self._call_http(activity.input)
        try:
            return await end_of(activity, running, self._clock)
        except Exception as error:  # the top of a work loop: its orchestrator waits
            log.exception(
                "activity %s of %s: durablehost failed", activity.name, activity.instance_id
            )
            return self.lost(activity, error)

    def lost(self, activity: ActivityWork, error: Exception) -> Event:
        """The event of an activity at which durablehost failed."""
        failure = FunctionFailed(type(error).__name__, str(error), "")
        return failed_activity(activity.task_id, activity.name, failure, self._clock)

    async def _result(self, function: Function, activity: ActivityWork) -> str:
        """The result of a function of the app. Raises FunctionFailed."""
        try:
            return await self._caller.activity(
                function, activity.input, activity.instance_id, self._client_payload
            )
        except FunctionFailed as failure:
            log.warning(
                "activity %s of %s failed%s: %s",
                activity.name,
                activity.instance_id,
                f" at {failure.place}" if failure.place else "",
                failure,
            )
            raise


class Activities:
    """The activities that run, up to a maximum, and those whose result is not on disk yet."""

    def __init__(
        self, backend: Backend, runner: ActivityRunner, most: int, wake: Callable[[], None]
    ) -> None:
        """`wake` is called when an activity has ended."""
        self._backend = backend
        self._runner = runner
        self._most = most
        self._wake = wake
        self._under_way: dict[int, asyncio.Task[None]] = {}  # by receipt
        self._ended: list[tuple[ActivityWork, Event]] = []
        self._unsaved: list[tuple[ActivityWork, Event]] = []
        self._replaced: set[int] = set()  # receipts: their results could not be kept
        self.flushes_each = False  # to find the result whose row cannot be written

    def start(self) -> None:
        """Start waiting activities, up to the maximum.

        Results that are not committed count too. Otherwise fast activities with large results
        would fill the memory.
        """
        while len(self._under_way) + len(self._ended) < self._most:
            activity = self._backend.next_activity()
            if activity is None:
                return
            self._under_way[activity.receipt] = asyncio.create_task(self._run(activity))

    async def _run(self, activity: ActivityWork) -> None:
        event = await self._runner.end_of(activity)
        del self._under_way[activity.receipt]
        # Read `_ended` only now: `take_back` may have replaced it.
        self._ended.append((activity, event))
        self._wake()

    def ended(self) -> Iterator[Callable[[], None]]:
        """A commit for each activity that has ended and is not committed."""
        while self._ended:
            yield self._commit_first

    def _commit_first(self) -> None:
        activity, event = self._ended[0]
        try:
            self._backend.commit_activity(activity, event)
            if self.flushes_each:
                self._backend.flush()
        except DurablehostError:
            raise
        except Exception as error:  # the top of a work loop: nothing of it was kept
            self._replace_first(error)
        else:
            self._unsaved.append(self._ended.pop(0))

    def _replace_first(self, error: Exception) -> None:
        """Fail an activity whose result cannot be kept. If that fails too, leave it as it is."""
        activity, _ = self._ended.pop(0)
        log.error(
            "activity %s of %s: durablehost itself failed to keep its result. Please report this",
            activity.name,
            activity.instance_id,
            exc_info=error,
        )
        if activity.receipt not in self._replaced:
            self._replaced.add(activity.receipt)
            self._ended.insert(0, (activity, self._runner.lost(activity, error)))

    @property
    def unsaved(self) -> int:
        """How many results are committed, but not on disk."""
        return len(self._unsaved)

    def saved(self) -> None:
        """All that was committed is on disk."""
        self._unsaved.clear()

    def take_back(self) -> None:
        """All that was committed since the last flush is lost: commit these results again."""
        self._ended = self._unsaved + self._ended
        self._unsaved = []

    async def cancel(self) -> None:
        """Cancel the activities that run. They run again when durablehost is started again."""
        under_way = list(self._under_way.values())
        for activity in under_way:
            activity.cancel()
        await asyncio.gather(*under_way, return_exceptions=True)
