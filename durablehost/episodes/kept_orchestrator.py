"""A running orchestrator that is kept after an episode, so that the next one need not replay all.

The SDK's executor and the walk go on from where they are: both take only the new events. Whatever
is unusual discards what was kept, and the whole history is replayed: the end of the orchestrator, a
failure, events of other kinds, and a history that has doubled since the last whole replay. So code
that is not deterministic is still found.
"""

import asyncio
import contextlib
import json
import threading
from collections.abc import Callable, Sequence
from typing import Any, Final

from azure.durable_functions.models.actions.CreateTimerAction import CreateTimerAction
from azure.durable_functions.models.utils.df_serialization import df_dumps

from durablehost import sdk_patches
from durablehost.episodes.sdk_replay import Action, read_actions
from durablehost.episodes.walk import Walk
from durablehost.hub import history
from durablehost.hub.backend import OrchestrationWork
from durablehost.hub.history import Event

_EVENT_BYTES: Final = 2_000
SHORT: Final = 64  # events; such a history is replayed as quickly
_USUAL: Final = frozenset(
    {
        history.ORCHESTRATOR_STARTED,
        history.TASK_COMPLETED,
        history.TASK_FAILED,
        history.SUB_ORCHESTRATION_COMPLETED,
        history.SUB_ORCHESTRATION_FAILED,
        history.TIMER_FIRED,
        history.EVENT_RAISED,
    }
)


class NotKept(Exception):
    """The whole history has to be replayed."""


class KeptOrchestrator:
    """One execution of an orchestrator, after an episode."""

    def __init__(self, executor: Any, walk: Walk, actions: list[Action], length: int) -> None:
        self.walk = walk
        self.actions = [*actions]  # the walk goes through its own list
        self.size = 0  # in memory, in bytes, roughly
        self._executor = executor
        self._length = length
        self._replay_at = 2 * length
        self._payload: list[Any] = executor.context._action_payload_v2
        self._timers = _timers_in(self._payload)

    def __del__(self) -> None:
        """End the orchestrator beside the server: its `finally` blocks run then, and can block."""
        executor = [self.__dict__.pop("_executor", None)]
        with contextlib.suppress(RuntimeError):  # this is no thread of a server, or Python ends
            asyncio.get_running_loop()
            threading.Thread(target=executor.clear, name="finally", daemon=True).start()

    @property
    def custom_status(self) -> Any:
        status = self._executor.context.custom_status
        return None if status is None else json.loads(df_dumps(status))

    def fits(self, work: OrchestrationWork) -> bool:
        """Whether it stands where this history ends, and the history is not yet to be replayed."""
        return self._length == len(work.past) < self._replay_at

    def go_on(
        self, past: Sequence[Event], new: Sequence[Event], new_walk: Callable[[], Walk]
    ) -> None:
        """Run the orchestrator on new events, and let the walk follow. Raises NotKept."""
        if any(event["EventType"] not in _USUAL for event in new):
            raise NotKept
        known = len(self._payload)
        self._feed(new)
        if self._executor.has_execution_completed:
            raise NotKept
        added = self._payload[known:]
        more = read_actions(df_dumps([action.to_json() for action in added]))
        cancelled = [timer for timer in self._timers if timer.is_cancelled]
        self._timers = [timer for timer in self._timers if not timer.is_cancelled]
        self._timers += _timers_in(added)
        self.actions += more
        if cancelled or (self.walk.at_end and more):
            # The host would have gone on earlier: its walk sees the whole list at every episode.
            self.actions = read_actions(df_dumps([action.to_json() for action in self._payload]))
            self.walk = new_walk()
            self.walk.follow([*past, *new])
        else:
            self.walk.forget()
            self.walk.add(more)
            self.walk.follow(new)
        if self.walk.fault is not None or self.walk.refusal is not None:
            raise NotKept

    def end_episode(self, scheduled: Sequence[Event], length: int) -> None:
        """Take the events that the episode itself has added to the history."""
        self._feed(scheduled)
        self.walk.follow(scheduled)
        self._length = length

    def _feed(self, events: Sequence[Event]) -> None:
        for event in events:
            self.size += memory_of(event)
            read = sdk_patches.history_event(event)
            self._executor.context.histories.append(read)
            self._executor.process_event(read)
            if self._executor.has_execution_completed:
                return


def memory_of(event: Event) -> int:
    """What an event takes in memory: once as the SDK has it, and its value."""
    return _EVENT_BYTES + len(event.get("Result") or event.get("Input") or "")


def _timers_in(actions: Sequence[Any]) -> list[Any]:
    found = []
    for action in actions:
        if isinstance(action, CreateTimerAction) and not action.is_cancelled:
            found.append(action)
        found += _timers_in(getattr(action, "compound_tasks", ()))
    return found
