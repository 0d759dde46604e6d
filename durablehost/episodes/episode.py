"""One episode of an orchestration: history and new events in, a decision out.

The SDK runs the orchestrator once over the history (`sdk_replay.py`). Then durablehost walks
through the actions that the SDK returned, driven by the same history (`walk.py`): that says what
is really scheduled.
"""

from collections.abc import Callable, Sequence
from dataclasses import replace
from functools import partial

from durablehost import sdk_patches
from durablehost.app.functions import Known, no_such_function
from durablehost.episodes import versions
from durablehost.episodes.conclusion import Conclusion, reason_shown, to_parent
from durablehost.episodes.episode_problems import problems_of
from durablehost.episodes.kept_orchestrator import SHORT, KeptOrchestrator, memory_of
from durablehost.episodes.sdk_replay import (
    STATUS_LIMIT_KB,
    OrchestratorState,
    failed,
    replay_by_sdk,
    status_kilobytes,
)
from durablehost.episodes.walk import Walk
from durablehost.hub import history, problems
from durablehost.hub.backend import Decision, OrchestrationWork
from durablehost.hub.clock import Clock
from durablehost.hub.history import Event, compact
from durablehost.hub.problems import Problem
from durablehost.settings import Settings


class NotForThisApp(Exception):
    """The instance has a version that this app does not run; it stays as it is."""

    def __init__(self, problem: Problem) -> None:
        super().__init__(problem.text)
        self.problem = problem


def run_episode(
    work: OrchestrationWork,
    orchestrate: Callable[[str], str] | None,
    table: Known,
    clock: Clock,
    settings: Settings,
    keep: Callable[[KeptOrchestrator], None] | None = None,
) -> Decision:
    """Run the orchestrator once over its history. `orchestrate` is None for an unknown name.

    `keep` receives the orchestrator, if it can go on from here. Raises NotForThisApp.
    """
    instance = work.instance
    if not versions.runs_here(instance.version, settings.default_version, settings.version_match):
        return _decision_on_other_version(work, clock, settings)
    began = clock.now()
    new = [history.orchestrator_started(began), *work.new]
    if not work.past and instance.generation:
        # After continue_as_new the host closes the first episode before it calls the code.
        new.append(history.orchestrator_completed(began))
    sdk_patches.last_executor()
    state, walk = replay_and_walk(work, new, orchestrate, table)
    conclusion = Conclusion(
        work, new, state, walk, began, clock.now(), clock.due, settings.default_version
    )
    decision = _decision_of(conclusion, table)
    executor = sdk_patches.last_executor()
    if keep is not None and executor is not None and len(work.past) >= SHORT:
        kept = KeptOrchestrator(executor, walk, state.actions, len(work.past))
        kept.size = sum(map(memory_of, work.past))
        _end(kept, conclusion, decision, keep)
    return decision


def replay_and_walk(
    work: OrchestrationWork,
    new: Sequence[Event],
    orchestrate: Callable[[str], str] | None,
    table: Known,
) -> tuple[OrchestratorState, Walk]:
    """Have the SDK replay the orchestrator, and walk through the actions that it returns."""
    name = work.instance.name
    if orchestrate is None:
        words = no_such_function("orchestrator", name, table.durable_names("orchestration"))
        state = replace(failed(name, words), is_refused=True)
    else:
        state = replay_by_sdk(work, new, orchestrate)
    walk = Walk(state.actions, table, work.instance)
    walk.follow([*work.past, *new])
    return state, walk


def go_on_with(
    kept: KeptOrchestrator,
    work: OrchestrationWork,
    guarded: Callable[[Callable[[], None]], None],
    table: Known,
    clock: Clock,
    settings: Settings,
    keep: Callable[[KeptOrchestrator], None],
) -> Decision | None:
    """Run an episode of an orchestrator that was kept; None if its history has to be replayed.

    `guarded` calls code of the app.
    """
    began = clock.now()
    new = [history.orchestrator_started(began), *work.new]

    def new_walk() -> Walk:
        return Walk([*kept.actions], table, work.instance)

    try:
        guarded(partial(kept.go_on, work.past, new, new_walk))
        status = kept.custom_status
    except Exception:  # whatever it is: the replay meets it again, and reports it
        return None
    if status_kilobytes(status) > STATUS_LIMIT_KB:
        return None
    state = OrchestratorState(kept.actions, done=False, custom_status=status)
    conclusion = Conclusion(
        work, new, state, kept.walk, began, clock.now(), clock.due, settings.default_version
    )
    if conclusion.status()[0] != "Running":
        return None
    decision = _decision_of(conclusion, table)
    _end(kept, conclusion, decision, keep)
    return decision


def _decision_of(conclusion: Conclusion, table: Known) -> Decision:
    decision = conclusion.decision()
    decision.problems += problems_of(
        conclusion.work,
        conclusion.state,
        conclusion.walk,
        table,
        conclusion.began,
        conclusion.status()[0],
    )
    return decision


def _end(
    kept: KeptOrchestrator,
    conclusion: Conclusion,
    decision: Decision,
    keep: Callable[[KeptOrchestrator], None],
) -> None:
    """End the episode of an orchestrator that is kept, if it runs on."""
    state = conclusion.state
    if decision.instance.status == "Running" and not state.done and state.error is None:
        scheduled = decision.events[len(conclusion.new) :]
        kept.end_episode(scheduled, len(conclusion.work.past) + len(decision.events))
        keep(kept)


def _decision_on_other_version(
    work: OrchestrationWork, clock: Clock, settings: Settings
) -> Decision:
    instance = work.instance
    terminated = [each for each in work.new if each["EventType"] == history.EXECUTION_TERMINATED]
    if terminated and not work.past:
        # The host ends what has never run without a history.
        output = reason_shown(terminated[-1]["Input"])
        return Decision(replace(instance, status="Terminated", output=output, updated=clock.now()))
    if settings.version_failure == "Reject":
        raise NotForThisApp(
            problems.version_never_runs(
                instance.version, settings.default_version, settings.version_match
            )
        )
    now = clock.now()
    output = compact(versions.MISMATCH)
    ended = replace(instance, status="Failed", output=output, updated=now)
    events = [history.orchestrator_started(now), *map(history.played, work.new)]
    events.append(history.execution_completed(now, 0, "Failed", versions.MISMATCH))
    decision = Decision(ended, events, failure=versions.MISMATCH)
    if instance.parent is not None:
        task_id = instance.parent.task_id
        event = history.sub_orchestration_failed(now, task_id, None, None)
        decision.messages.append(to_parent(instance.parent, event))
    return decision
