"""Runs orchestrators and entities on a thread of their own, so that the server always answers.

They run one after another. The work loop waits for short calls, because that costs less than to be
woken by each. If one holds the thread for long, another thread takes over the rest. Further calls
of the same function wait then, so that a loop in it costs one thread and not all.
"""

import asyncio
import contextlib
import gc
import threading
import time
from collections import deque
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from queue import Empty, SimpleQueue
from typing import Final

from durablehost.calling.interrupting import Interrupted, interrupt, where_is
from durablehost.hub.backend import EntityWork, OrchestrationWork
from durablehost.hub.history import size_of

LONG_SECONDS: Final = 0.25  # then another thread takes over
_AT_ONCE: Final = 32  # calls that have been handed over, so that one round stays short
_BYTES_AT_ONCE: Final = 8_000_000  # of histories
_MOMENT: Final = 0.005  # seconds: many short calls share a round of the work loop
_GRACE_SECONDS: Final = 0.5  # for a call under way, when durablehost stops
_LARGE: Final = 1_000_000  # bytes of a call whose garbage is collected at once

Commit = Callable[[], None]


@dataclass(eq=False, slots=True)
class CodeCall:
    """A call of an orchestrator or an entity, for one piece of work."""

    work: OrchestrationWork | EntityWork
    function: str  # "orchestrator process"
    run: Callable[[], Commit]  # runs the code and returns the commit of what came of it
    goes_on: bool = False  # an orchestrator that was kept: its history is not replayed
    began: float = 0.0
    thread_id: int = 0
    is_reported: bool = False
    size: int = 0  # of what it reads, its history and its new events, as text, roughly

    def __post_init__(self) -> None:
        work = self.work
        if isinstance(work, OrchestrationWork):
            past = () if self.goes_on else work.past_texts
            self.size = sum(map(len, past)) + sum(map(size_of, work.new))
        else:
            self.size = sum(map(size_of, work.requests))

    @property
    def seconds(self) -> float:
        """How long it has run."""
        return time.perf_counter() - self.began if self.began else 0.0

    @property
    def place(self) -> str:
        """The line of the app that it is at."""
        return where_is(self.thread_id)


class CodeThreads:
    """The calls that wait, run or have ended. All methods are for the thread of the work loop."""

    def __init__(self, wake: Callable[[], None], most: int) -> None:
        """`wake` is called when calls have ended. At most so many run at the same time."""
        self._wake = wake
        self._most = most
        self._loop: asyncio.AbstractEventLoop | None = None
        self._heard = asyncio.Event()
        self._told_at = 0.0
        self._is_awaited = False  # the work loop is in `wait`
        self._news: SimpleQueue[None] = SimpleQueue()  # ends that wait
        self._next: list[CodeCall] = []  # handed over together, because that wakes the thread once
        self._calls: SimpleQueue[CodeCall | None] = SimpleQueue()
        self._held: list[CodeCall] = []  # their function runs for long in another instance
        self._given_up: list[CodeCall] = []
        self._lock = threading.Lock()  # for what follows
        self._worker: threading.Thread | None = None  # the thread that takes the next call
        self._under_way: dict[CodeCall, None] = {}
        self._ended: deque[Commit] = deque()
        self._size = 0  # of the calls that wait or run

    @property
    def has_room(self) -> bool:
        return len(self._next) + self._calls.qsize() < _AT_ONCE and self._size < _BYTES_AT_ONCE

    @property
    def is_busy(self) -> bool:
        return bool(self._under_way or self._given_up or not self._calls.empty())

    def start(self, call: CodeCall) -> None:
        """Run it from the next `wait` on, when the thread is free. `ended` has its commit then."""
        if any(call.function == long.function for long in self.long()):
            self._held.append(call)
            return
        if self._worker is None:
            self._loop = asyncio.get_running_loop()
            self._start_worker()
        with self._lock:
            self._size += call.size
        self._next.append(call)

    def wait(self, until: float) -> bool:
        """Let the calls run. Wait for those that take a moment, until this time at most.

        Returns whether any has ended.
        """
        self._is_awaited = True
        for call in self._next:
            self._calls.put(call)
        self._next.clear()
        while self._are_short and (left := until - time.perf_counter()) > 0:
            with contextlib.suppress(Empty):
                self._news.get(timeout=left)
        self._is_awaited = False
        return bool(self._ended)

    @property
    def _are_short(self) -> bool:
        """Whether calls wait or run, and none has run for longer than a moment."""
        running = tuple(self._under_way)
        is_busy = bool(running) or not self._calls.empty()
        return is_busy and all(call.seconds < _MOMENT for call in running)

    def ended(self) -> Iterator[Commit]:
        """The commits of the calls that have ended, each once."""
        while self._ended:
            yield self._ended.popleft()

    def long(self) -> list[CodeCall]:
        """The calls that have run for long."""
        return [call for call in tuple(self._under_way) if call.seconds > LONG_SECONDS]

    def held(self) -> list[CodeCall]:
        """The calls that wait because their function runs for long in another instance."""
        return list(self._held)

    def tend(self) -> None:
        """Have another thread take over from a long call, and start what such calls held up."""
        with self._lock:
            worker, holders = self._worker, [*self.long(), *self._given_up]
            has_room = len(self._under_way) < self._most
            if worker and has_room and any(call.thread_id == worker.ident for call in holders):
                self._start_worker()
        self._given_up = [call for call in self._given_up if interrupt(call.thread_id)]
        held, self._held = self._held, []
        for call in held:
            self.start(call)

    def give_up(self, call: CodeCall) -> None:
        """Take no outcome of a long call any more, and end it if that is possible."""
        if call in self._held:
            self._held.remove(call)
            return
        with self._lock:
            if call in self._under_way:
                del self._under_way[call]
                self._given_up.append(call)
        self.tend()  # another thread takes over before this one is interrupted

    async def stop(self) -> None:
        """Start no more, and give up the calls that do not end soon."""
        self._held.clear()
        with contextlib.suppress(Empty):
            while True:
                self._calls.get_nowait()
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(_GRACE_SECONDS):
                while self._under_way:
                    self._heard.clear()
                    await self._heard.wait()
        for call in tuple(self._under_way):
            self.give_up(call)
        self._calls.put(None)

    # The thread

    def _start_worker(self) -> None:
        self._worker = threading.Thread(target=self._work, name="orchestrators", daemon=True)
        self._worker.start()

    def _work(self) -> None:
        """Run calls until another thread has taken over."""
        with contextlib.suppress(Interrupted):  # it can arrive after the call has ended
            while (call := self._calls.get()) is not None:
                if not self._run(call):
                    return
                del call  # an idle thread must not keep the values of the last call alive

    def _run(self, call: CodeCall) -> bool:
        """Run a call. Returns whether this thread is to take the next one."""
        call.began, call.thread_id = time.perf_counter(), threading.get_ident()
        with self._lock:
            self._under_way[call] = None
        commit = call.run()
        with self._lock:
            self._size -= call.size
            if call in self._under_way:
                del self._under_way[call]
                self._ended.append(commit)
            goes_on = self._worker is threading.current_thread()
        if call.size > _LARGE:
            gc.collect(1)  # the SDK leaves cycles that hold all values of the history
        if self._calls.empty() or time.perf_counter() - self._told_at > _MOMENT:
            self._tell()
        return goes_on

    def _tell(self) -> None:
        assert self._loop is not None
        self._told_at = time.perf_counter()
        if self._is_awaited:
            self._news.put(None)
            return
        with contextlib.suppress(RuntimeError):  # the loop has ended: nobody waits any more
            self._loop.call_soon_threadsafe(self._hear)

    def _hear(self) -> None:
        self._heard.set()
        self._wake()
