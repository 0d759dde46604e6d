"""Looks after the orchestrators and entities that run for long: reports them, and ends them."""

from datetime import timedelta
from typing import Final

from durablehost.engine.code_threads import CodeCall, CodeThreads
from durablehost.engine.rounds import Rounds
from durablehost.hub import problems
from durablehost.hub.backend import Backend, EntityWork

_REPORTED_AFTER: Final = 2.0  # seconds


class LongCalls:
    """What is done about calls that run for long."""

    def __init__(
        self, threads: CodeThreads, rounds: Rounds, backend: Backend, limit: timedelta | None
    ) -> None:
        """`limit` is `functionTimeout` of host.json."""
        self._threads = threads
        self._rounds = rounds
        self._backend = backend
        self._limit = limit

    def look(self) -> None:
        """End the calls that nobody waits for or that have timed out, and report the others."""
        self._threads.tend()
        for call in [*self._threads.long(), *self._threads.held()]:
            if not self._backend.awaits(call.work):
                self._threads.give_up(call)
                self._rounds.leave_aside(call.work)
            elif self._limit is not None and call.seconds > self._limit.total_seconds():
                self._time_out(call, self._limit)
            elif call.seconds > _REPORTED_AFTER and not call.is_reported:
                call.is_reported = True
                problem = problems.runs_long(
                    call.function,
                    call.seconds,
                    call.place,
                    is_entity=isinstance(call.work, EntityWork),
                )
                self._rounds.note(call.work, [problem])

    def _time_out(self, call: CodeCall, limit: timedelta) -> None:
        problem = problems.stopped_by_timeout(call.function, limit, call.place)
        self._threads.give_up(call)
        self._rounds.note(call.work, [problem])
        if isinstance(call.work, EntityWork):
            self._rounds.fail_by_timeout(call.work, limit)
        else:
            self._rounds.leave_aside(call.work)

    def running(self) -> list[str]:
        """A line for each call that has been reported and still runs."""
        return [
            f"{call.function} of {call.work.target} has run for {call.seconds:.0f} s,"
            f" at {call.place}"
            for call in self._threads.long()
            if call.is_reported
        ]
