"""One episode of an orchestration: history and new events in, a decision out.

The SDK runs the orchestrator once over the history (`sdk_replay.py`). Then durablehost walks
through the actions that the SDK returned, driven by the same history (`walk.py`): that says what
is really scheduled.
"""

from collections.abc import Callable
from dataclasses import replace

from durablehost.app.functions import Known, no_such_function
from durablehost.episodes import versions
from durablehost.episodes.conclusion import Conclusion, reason_shown, to_parent
from durablehost.episodes.episode_problems import problems_of
from durablehost.episodes.sdk_replay import failed, replay_by_sdk
from durablehost.episodes.walk import Walk
from durablehost.hub import history, problems
from durablehost.hub.backend import Decision, OrchestrationWork
from durablehost.hub.clock import Clock
from durablehost.hub.history import compact
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
) -> Decision:
    """Run the orchestrator once over its history. `orchestrate` is None for an unknown name.

    Raises NotForThisApp.
    """
    instance = work.instance
    if not versions.runs_here(instance.version, settings.default_version, settings.version_match):
        return _decision_on_other_version(work, clock, settings)
    began = clock.now()
    new = [history.orchestrator_started(began), *work.new]
    if not work.past and instance.generation:
        # After continue_as_new the host closes the first episode before it calls the code.
        new.append(history.orchestrator_completed(began))
    if orchestrate is None:
        words = no_such_function(
            "orchestrator", instance.name, table.durable_names("orchestration")
        )
        state = replace(failed(instance.name, words), is_refused=True)
    else:
        state = replay_by_sdk(work, new, orchestrate)
    walk = Walk(state.actions, table, instance)
    walk.follow([*work.past, *new])
    conclusion = Conclusion(
        work, new, state, walk, began, clock.now(), clock.due, settings.default_version
    )
    decision = conclusion.decision()
    decision.problems += problems_of(work, state, walk, table, began, conclusion.status()[0])
    return decision


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
