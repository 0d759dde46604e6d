"""The order of one round of work. The engine and the test hub both work by these rounds.

A round takes what is ready, runs it, and yields a commit for each piece. Nothing of a piece is
kept before its commit is called, and the next piece is taken after that.
"""

import contextlib
import logging
import sys
import time
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import replace
from datetime import timedelta
from functools import partial
from typing import Final, NamedTuple, Protocol

from durablehost.app.functions import Function, FunctionTable, no_such_function
from durablehost.engine.code_threads import CodeCall, CodeThreads
from durablehost.engine.kept_orchestrators import KeptOrchestrators
from durablehost.engine.postponed_episodes import PostponedEpisodes
from durablehost.episodes.entity_batch import failed_batch, run_entity_batch
from durablehost.episodes.episode import NotForThisApp, go_on_with, run_episode
from durablehost.episodes.kept_orchestrator import KeptOrchestrator
from durablehost.episodes.termination import is_terminated, terminated_without_code
from durablehost.errors import DurablehostError, FunctionTimedOut
from durablehost.hub import problems
from durablehost.hub.backend import Backend, Decision, EntityWork, Instance, OrchestrationWork
from durablehost.hub.clock import Clock
from durablehost.hub.history import failed_function
from durablehost.hub.problems import Problem
from durablehost.settings import Settings

log = logging.getLogger(__name__)

_NEVER: Final = sys.maxsize

Commit = Callable[[], None]
Work = OrchestrationWork | EntityWork
Run = Callable[[], Commit]
Report = Callable[[str, str, Problem], None]  # instance id, name, problem


class _Aside(NamedTuple):
    """An instance that is set aside."""

    execution_id: str
    enough: int  # messages, to be tried again


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
        code_threads: CodeThreads | None = None,
        kept: KeptOrchestrators | None = None,
        around: Callable[[Work, Run], Run] | None = None,
    ) -> None:
        """`report` is called for each failure and each new problem, before they are on disk.

        Without `postponed` every episode runs at once, without `code_threads` in this thread, and
        without `kept` it replays the whole history. `around` replaces what is to run.
        """
        self._backend = backend
        self._table = table
        self._caller = caller
        self._clock = clock
        self._settings = settings
        self._report = report
        self._postponed = postponed
        self._code_threads = code_threads
        self._kept = kept
        self._around = around
        self.flushes_each = False  # to find the piece of work whose rows cannot be written
        self._set_aside: dict[str, _Aside] = {}
        self._passed_over: dict[str, int] = {}  # in this round
        # A restart begins with other instances than those that may hold it up.
        self._last = {p.instance_id for p in backend.problems() if p.kind in problems.HOLD_UP}

    def next_round(
        self, ended: Iterable[Commit] = (), *, entities_first: bool = False
    ) -> Iterator[Commit]:
        """Run all that is ready, once over. `ended` are commits of work that has run elsewhere."""
        yield from ended
        self._backend.release(self._clock.now())
        yield from self._once_over(entities_first, dict.fromkeys(self._last, _NEVER))
        if self._last:
            self._last.clear()
            yield from self._once_over(entities_first, {})

    def _once_over(self, entities_first: bool, last: dict[str, int]) -> Iterator[Commit]:
        postponed = self._postponed.completions_awaited() if self._postponed else {}
        self._passed_over = postponed | last | self._still_aside()
        if entities_first:
            yield from self._entities()
            yield from self._orchestrations()
        else:
            yield from self._orchestrations()
            yield from self._entities()

    def _has_room(self) -> bool:
        return self._code_threads is None or self._code_threads.has_room

    def _call(
        self, work: Work, function: str, run: Run, *, goes_on: bool = False
    ) -> Iterator[Commit]:
        """Run code of the app: on its own thread, or here and now."""
        if self._around is not None:
            run = self._around(work, run)
        if self._code_threads is None:
            yield run()
        else:
            self._code_threads.start(CodeCall(work, function, run, goes_on))

    # Instances that are set aside

    def leave_aside(self, work: Work) -> None:
        """Pass over an instance until it gets another message or durablehost is started again."""
        if self._backend.abandon(work):
            self._set_aside_for(work, len(work.receipt) + 1)

    def _set_aside_for(self, work: Work, enough: int) -> None:
        execution = work.instance.execution_id if work.instance else ""
        self._set_aside[work.target] = _Aside(execution, enough)
        self._passed_over[work.target] = enough

    def _still_aside(self) -> dict[str, int]:
        """How many messages each one needs to be tried again. Others may have their id by now."""
        for target, aside in list(self._set_aside.items()):
            instance = self._backend.instance(target)
            if (instance.execution_id if instance else "") != aside.execution_id:
                del self._set_aside[target]
        return {target: aside.enough for target, aside in self._set_aside.items()}

    def _fail(self, work: Work, error: Exception) -> None:
        """A fault in durablehost must not stop the other instances."""
        log.error(
            "%s: durablehost itself failed at this instance and sets it aside. Please report this",
            work.target,
            exc_info=error,
        )
        self._backend.abandon(work)
        self._set_aside_for(work, len(work.receipt) + 1)
        self.note(work, [problems.durablehost_failed(error)])

    def _written(self) -> None:
        if self.flushes_each:
            self._backend.flush()

    # Problems

    def note(self, work: Work, found: Sequence[Problem]) -> None:
        """Keep the problems of an instance, and report the new ones."""
        with self._noting(work):
            self._note_all(work, found)

    @contextlib.contextmanager
    def _noting(self, work: Work) -> Iterator[None]:
        """A problem that cannot be noted must not stop the work."""
        losses = self._backend.losses
        try:
            yield
        except DurablehostError:
            raise
        except Exception as error:  # the top of a work loop: a fault in durablehost
            log.error(
                "%s: durablehost itself failed to note a problem. Please report this",
                work.target,
                exc_info=error,
            )
            if self._backend.losses != losses:  # its commit is lost, and would be so for ever
                self._set_aside_for(work, len(work.receipt) + 1)

    def _note_all(self, work: Work, found: Sequence[Problem]) -> None:
        name = work.instance.name if work.instance else work.target
        self._note(work.target, name, found)
        for problem in found:
            if problem.kind not in problems.STUCK:
                continue
            if isinstance(work, EntityWork):
                self._note_for_callers(work, problems.stuck_entity(work.id, problem))
            elif work.instance is not None:
                self._note_for_parents(work.instance, problem)

    def _note(self, instance_id: str, name: str, found: Sequence[Problem]) -> None:
        if not found:
            return
        for problem in self._backend.note(instance_id, found, self._clock.now()):
            self._tell(instance_id, name, problem)

    def _note_for_parents(self, instance: Instance, stuck: Problem) -> None:
        """Keep the problem of an instance with those that wait for it, too."""
        while instance.parent is not None:
            parent = self._backend.instance(instance.parent.instance_id)
            if parent is None or parent.ended:
                return
            stuck = problems.stuck_child(instance.id, instance.name, stuck)
            self._note(parent.id, parent.name, [stuck])
            instance = parent

    def _tell(self, instance_id: str, name: str, problem: Problem) -> None:
        if self._report is not None:
            self._report(instance_id, name, problem)

    def _note_for_callers(self, work: EntityWork, stuck: Problem) -> None:
        """Keep a problem with the instances that wait for an entity, and with their parents."""
        for request in work.requests:
            caller = self._backend.instance(request["parent"]) if not request["signal"] else None
            if caller is not None:
                self._note(caller.id, caller.name, [stuck])
                self._note_for_parents(caller, stuck)

    # Orchestrations

    def _orchestrations(self) -> Iterator[Commit]:
        """Ends when an instance comes again: if each commit is flushed, it might do so for ever."""
        seen: set[str] = set()
        while self._has_room() and (work := self._backend.next_orchestration(self._passed_over)):
            if work.target in self._set_aside and is_terminated(work):
                decision = terminated_without_code(work, self._clock)
                yield partial(self._commit_episode, work, decision, 0.0)
            else:
                kept = self._kept.take(work) if self._kept else None
                run = partial(self._run_episode, work, kept)
                called = f"orchestrator {work.instance.name}"
                yield from self._call(work, called, run, goes_on=kept is not None)
            if self._code_threads is None and work.target in seen:
                return
            seen.add(work.target)

    def _run_episode(self, work: OrchestrationWork, kept: KeptOrchestrator | None) -> Commit:
        """Run an episode; this may be on another thread."""
        function = self._table.orchestrator(work.instance.name)
        runs = function is not None and not function.is_disabled
        orchestrate = partial(self._caller.orchestrate, function) if function and runs else None
        began = time.perf_counter()
        keep: list[KeptOrchestrator] = []
        decision = None
        try:
            if kept is not None and function is not None and runs:
                guarded = partial(self._call_guarded, function)
                decision = go_on_with(
                    kept, work, guarded, self._table, self._clock, self._settings, keep.append
                )
            if decision is None:
                decision = run_episode(
                    work,
                    orchestrate,
                    self._table,
                    self._clock,
                    self._settings,
                    keep.append if self._kept is not None else None,
                )
        except NotForThisApp as refused:
            return partial(self._refuse, work, refused.problem)
        except Exception as error:  # the top of a work loop: a fault in durablehost
            return partial(self._fail, work, error)
        seconds = time.perf_counter() - began
        return partial(self._commit_episode, work, decision, seconds, keep)

    def _call_guarded(self, function: Function, go_on: Callable[[], None]) -> None:
        """Let an orchestrator go on as the caller calls orchestrators."""

        def handler(_: object) -> str:
            go_on()
            return ""

        self._caller.orchestrate(replace(function, handler=handler), "")

    def _refuse(self, work: OrchestrationWork, problem: Problem) -> None:
        self.note(work, [problem])
        self._backend.abandon(work)

    def _commit_episode(
        self,
        work: OrchestrationWork,
        decision: Decision,
        seconds: float,
        keep: Sequence[KeptOrchestrator] = (),
    ) -> None:
        try:
            self._backend.commit_orchestration(work, decision)
            self._written()
        except DurablehostError:
            raise
        except Exception as error:  # the top of a work loop: nothing of it was kept
            self._fail(work, error)
            return
        self._set_aside.pop(work.target, None)
        if decision.failure is not None:
            failure = problems.failed(decision.failure)
            self._tell(work.target, work.instance.name, failure)
        self.note(work, decision.problems)
        for kept in keep:
            if self._kept is not None:
                self._kept.keep(work.instance.execution_id, kept)
        if self._postponed is not None:
            self._postponed.after(work.target, decision.completions_needed, seconds)

    # Entities

    def _entities(self) -> Iterator[Commit]:
        while self._has_room() and (work := self._backend.next_entity(self._passed_over)):
            name = work.id.split("@")[1]
            function = self._table.entity(name)
            if function is None:
                yield partial(self._pass_over_unknown, work, name)
            elif function.is_disabled:
                yield partial(self._refuse_operations, work, name)
            else:
                run = partial(self._run_entity_batch, work, function)
                yield from self._call(work, f"entity {function.durable_name}", run)

    def _pass_over_unknown(self, work: EntityWork, name: str) -> None:
        known, why = self._table.durable_names("entity"), self._table.why_left_out("entity", name)
        self._backend.abandon(work)
        unknown = problems.unknown_function("entity", name, known, left_out=why)
        with self._noting(work):
            self._note(work.id, work.id, [unknown])
            self._note_for_callers(work, unknown)

    def _refuse_operations(self, work: EntityWork, name: str) -> None:
        """Fail the operations of an entity whose function is disabled; signals are lost."""
        words = no_such_function("entity", name, self._table.durable_names("entity"))
        lost = sum(bool(request["signal"]) for request in work.requests)
        if lost:
            log.warning(
                "%s: %d signals are lost, as on Azure: the entity function is disabled",
                work.id,
                lost,
            )
        self._commit_entity(work, failed_batch(work, failed_function(words), self._clock))

    def _run_entity_batch(self, work: EntityWork, function: Function) -> Commit:
        operate = partial(self._caller.operate, function)
        try:
            decision = run_entity_batch(work, operate, self._clock)
        except Exception as error:  # the top of a work loop: a fault in durablehost
            return partial(self._fail, work, error)
        return partial(self._commit_entity, work, decision)

    def fail_by_timeout(self, work: EntityWork, limit: timedelta) -> None:
        """Fail all operations of a batch that ran for too long, as the real host does."""
        function = self._table.entity(work.id.split("@")[1])
        failure = FunctionTimedOut(function.name if function else work.id, limit)
        self._commit_entity(work, failed_batch(work, str(failure), self._clock))

    def _commit_entity(self, work: EntityWork, decision: Decision) -> None:
        try:
            self._backend.commit_entity(work, decision)
            self._written()
        except DurablehostError:
            raise
        except Exception as error:  # the top of a work loop: nothing of it was kept
            self._fail(work, error)
            return
        self._set_aside.pop(work.target, None)
        self.note(work, decision.problems)
