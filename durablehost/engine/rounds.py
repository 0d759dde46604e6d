"""The order of one round of work. The engine and the test hub both work by these rounds.

A round takes what is ready, runs it, and yields a commit for each piece. Nothing of a piece is
kept before its commit is called, and the next piece is taken after that.
"""

import logging
import sys
import time
from collections.abc import Callable, Iterable, Iterator, Sequence
from functools import partial
from typing import Final, Protocol

from durablehost.app.functions import Function, FunctionTable
from durablehost.engine.long_episodes import LongEpisodes
from durablehost.engine.postponed_episodes import PostponedEpisodes
from durablehost.episodes.entity_batch import run_entity_batch
from durablehost.episodes.episode import NotForThisApp, run_episode
from durablehost.errors import DurablehostError
from durablehost.hub.backend import Backend, Decision, EntityWork, OrchestrationWork
from durablehost.hub.clock import Clock
from durablehost.hub.problems import Problem
from durablehost.settings import Settings

log = logging.getLogger(__name__)

_NEVER: Final = sys.maxsize

Commit = Callable[[], None]
Report = Callable[[str, str, Problem], None]  # instance id, name, problem


class Caller(Protocol):
    """Calls the orchestrators and entities of the app."""

    def orchestrate(self, function: Function, body: str) -> str: ...

    def operate(self, function: Function, body: str) -> str: ...


class Rounds:
    """Runs the orchestrations and entities of a hub, round by round."""

    def __init__(
        self,
        backend: Backend,
        table: FunctionTable,
        caller: Caller,
        clock: Clock,
        settings: Settings,
        *,
        report: Report | None = None,
        postponed: PostponedEpisodes | None = None,
        long_episodes: LongEpisodes | None = None,
    ) -> None:
        """`report` is called for each new problem; it is not on disk before the next flush.

        Without `postponed` every episode runs at once, without `long_episodes` in this thread.
        """
        self._backend = backend
        self._table = table
        self._caller = caller
        self._clock = clock
        self._settings = settings
        self._report = report
        self._postponed = postponed
        self._long_episodes = long_episodes
        self._set_aside: dict[str, int] = {}  # instances at which durablehost itself failed
        self._passed_over: dict[str, int] = {}  # in this round

    def next_round(
        self, ended: Iterable[Commit] = (), *, entities_first: bool = False
    ) -> Iterator[Commit]:
        """Run all that is ready, once over. `ended` are commits of work that has run elsewhere."""
        yield from ended
        self._backend.release(self._clock.now())
        postponed = self._postponed.completions_awaited() if self._postponed else {}
        self._passed_over = postponed | self._set_aside
        if entities_first:
            yield from self._entities()
            yield from self._orchestrations()
        else:
            yield from self._orchestrations()
            yield from self._entities()

    def _leave_aside(self, instance_id: str, error: Exception, enough: int = _NEVER) -> None:
        """Pass over an instance until it has enough messages, or durablehost is started again.

        A fault in durablehost must not stop the other instances.
        """
        self._set_aside[instance_id] = self._passed_over[instance_id] = enough
        log.error(
            "%s: durablehost failed at it and leaves it as it is. Please report this",
            instance_id,
            exc_info=error,
        )

    def _note(self, instance_id: str, name: str, problems: Sequence[Problem]) -> None:
        if not problems:
            return
        new = self._backend.note(instance_id, problems, self._clock.now())
        if self._report is not None:
            for problem in new:
                self._report(instance_id, name, problem)

    # Orchestrations

    def _orchestrations(self) -> Iterator[Commit]:
        """Ends when an instance comes again: if each commit is flushed, it might do so for ever."""
        seen: set[str] = set()
        while work := self._backend.next_orchestration(self._passed_over):
            if self._long_episodes is not None and self._long_episodes.takes(work):
                self._long_episodes.start(partial(self._run_episode, work))
                continue
            yield self._run_episode(work)
            if work.instance.id in seen:
                return
            seen.add(work.instance.id)

    def _run_episode(self, work: OrchestrationWork) -> Commit:
        """Run an episode; this may be on another thread."""
        function = self._table.orchestrator(work.instance.name)
        orchestrate = partial(self._caller.orchestrate, function) if function else None
        began = time.perf_counter()
        try:
            decision = run_episode(work, orchestrate, self._table, self._clock, self._settings)
        except NotForThisApp as refused:
            return partial(self._refuse, work, refused.problem)
        except Exception as error:  # the top of a work loop: a fault in durablehost
            return partial(self._abandon, work, error)
        return partial(self._commit_episode, work, decision, time.perf_counter() - began)

    def _refuse(self, work: OrchestrationWork, problem: Problem) -> None:
        self._note(work.instance.id, work.instance.name, [problem])
        self._backend.abandon_orchestration(work)

    def _abandon(self, work: OrchestrationWork, error: Exception) -> None:
        self._backend.abandon_orchestration(work)
        self._leave_aside(work.instance.id, error, len(work.receipt) + 1)

    def _commit_episode(self, work: OrchestrationWork, decision: Decision, seconds: float) -> None:
        instance = work.instance
        try:
            self._backend.commit_orchestration(work, decision)
            self._set_aside.pop(instance.id, None)
            self._note(instance.id, instance.name, decision.problems)
        except DurablehostError:
            raise
        except Exception as error:  # the top of a work loop: nothing of it was kept
            self._leave_aside(instance.id, error, len(work.receipt) + 1)
        else:
            if self._postponed is not None:
                self._postponed.after(instance.id, decision.completions_needed, seconds)

    # Entities

    def _entities(self) -> Iterator[Commit]:
        while work := self._backend.next_entity(self._set_aside):
            function = self._table.entity(work.id.split("@")[1])
            if function is None:
                self._backend.abandon_entity(work)
            else:
                yield self._run_entity_batch(work, function)

    def _run_entity_batch(self, work: EntityWork, function: Function) -> Commit:
        operate = partial(self._caller.operate, function)
        try:
            decision = run_entity_batch(work, operate, self._clock)
        except Exception as error:  # the entity function failed; the real host tries it again
            return partial(self._abandon_entity, work, error)
        return partial(self._commit_entity, work, function.durable_name, decision)

    def _abandon_entity(self, work: EntityWork, error: Exception) -> None:
        log.error("%s: the entity function failed outside any operation", work.id, exc_info=error)
        self._backend.abandon_entity(work)

    def _commit_entity(self, work: EntityWork, name: str, decision: Decision) -> None:
        try:
            self._backend.commit_entity(work, decision)
            self._note(work.id, name, decision.problems)
        except DurablehostError:
            raise
        except Exception as error:  # the top of a work loop: nothing of it was kept
            self._leave_aside(work.id, error)
