"""Whatever is done to a hub: what it holds in memory is what it has written."""

from collections.abc import Callable
from dataclasses import replace
from typing import Any

from hypothesis import given, settings
from hypothesis import strategies as st

from durablehost.hub import history
from durablehost.hub.backend import Decision, Message, NewActivity, Query, started
from durablehost.store import MEMORY, SqliteBackend
from tests.durablehost.store.storing import (
    LATER,
    NOW,
    an_entity,
    an_instance,
    ended,
    event,
    request,
    running,
    start,
)

IDS = ("a", "b", "c")
ENTITIES = ("@tally@x", "@tally@y")
LARGE = "x" * 20_000  # stays on disk until it is taken


class Doing:
    """Does one thing after the other to a hub, as the engine would."""

    def __init__(self) -> None:
        self.hub = SqliteBackend(MEMORY)
        self._number = 0

    def _next(self) -> int:
        self._number += 1
        return self._number

    def start(self, which: int) -> None:
        start(self.hub, IDS[which % 3], execution_id=f"execution {self._next()}")

    def send(self, which: int) -> None:
        raised = event(IDS[which % 3], f"event {self._next()}")
        if which % 2:
            raised = replace(raised, event={**raised.event, "Input": LARGE})
        self.hub.send(replace(raised, due=LATER if which > 6 else None))

    def signal(self, which: int) -> None:
        self.hub.send(request(ENTITIES[which % 2], self._next()))

    def run(self, which: int) -> None:
        """An episode that goes on: with calls, a signal and a child."""
        if (work := self.hub.next_orchestration()) is None:
            return
        decision = running(work, activities=[NewActivity(one, "act", "1") for one in range(which)])
        decision.instance = replace(decision.instance, custom_status=str(self._next()))
        if which % 2:
            decision.messages.append(request(ENTITIES[0], self._next()))
        if which % 3 == 0:
            child = an_instance(f"child {self._next()}")
            decision.children.append((child, Message(child.id, started(child, NOW))))
        self.hub.commit_orchestration(work, decision)

    def end(self, which: int) -> None:
        """A last episode, or one that begins a new generation."""
        if (work := self.hub.next_orchestration()) is None:
            return
        decision = ended(work)
        if which % 3 == 0:
            decision.new_generation = True
            decision.instance = replace(work.instance, execution_id=f"execution {self._next()}")
            first = started(decision.instance, NOW)
            decision.messages = [Message(work.instance.id, first, decision.instance.execution_id)]
        self.hub.commit_orchestration(work, decision)

    def operate(self, _: int) -> None:
        if (work := self.hub.next_entity()) is not None:
            self.hub.commit_entity(work, Decision(an_entity(work.id, str(self._next()))))

    def act(self, _: int) -> None:
        if (activity := self.hub.next_activity()) is not None:
            done = history.task_completed(NOW, activity.task_id, str(self._next()))
            self.hub.commit_activity(activity, done)

    def purge(self, which: int) -> None:
        self.hub.purge([(*IDS, *ENTITIES)[which % 5]])

    def release(self, which: int) -> None:
        self.hub.release(LATER if which > 6 else NOW)

    def flush(self, _: int) -> None:
        self.hub.flush()


def held_by(hub: SqliteBackend) -> dict[str, Any]:
    """All that a hub shows and offers. It loses the locks, and what is not flushed."""
    instances = hub.list_instances(Query(top=None))
    hub.release(LATER)
    taken: dict[str, Any] = {}
    while work := hub.next_orchestration():
        # After a loss, what had come due comes after what had not to wait.
        arrived = sorted(map(history.to_text, work.new))
        taken[work.instance.id] = arrived, list(work.past), list(work.past_texts)
    while batch := hub.next_entity():
        taken[batch.id] = batch.instance, batch.requests
    activities = []
    while activity := hub.next_activity():
        activities.append(activity)
    histories = {one.id: hub.history(one.id) for one in instances}
    hub.lose_unsaved()
    return {
        "instances": instances,
        "histories": histories,
        "taken": taken,
        "activities": activities,
        "due": hub.next_due(),
    }


def shown_by(hub: SqliteBackend, *, all_first: bool) -> dict[str, Any]:
    """What a hub tells of single instances, and of all."""
    shown: dict[str, Any] = {}
    if all_first:
        shown["all"] = hub.list_instances(Query(top=None))
    for one in (*IDS, *ENTITIES):
        shown[one] = hub.history(one), hub.instance(one)
    shown["all"] = hub.list_instances(Query(top=None))
    return shown


DOINGS: dict[str, Callable[[Doing, int], None]] = {
    name: each for name, each in vars(Doing).items() if not name.startswith("_")
}
OFTEN = ["send", "run", "send", "end", "run", "act"]  # what needs other things before it
STEPS = st.lists(
    st.tuples(st.sampled_from(sorted(DOINGS) + OFTEN), st.integers(0, 9)), min_size=20, max_size=60
)


@settings(max_examples=200, deadline=None)
@given(
    before=STEPS,
    after=STEPS.map(lambda steps: [one for one in steps if one[0] != "flush"]),
    all_first=st.booleans(),
)
def test_a_loss_takes_what_was_not_flushed_and_nothing_else(
    before: list[tuple[str, int]], after: list[tuple[str, int]], all_first: bool
) -> None:
    doing = Doing()
    hub = doing.hub
    for name, which in before:
        DOINGS[name](doing, which)
    not_flushed = shown_by(hub, all_first=all_first)
    hub.flush()
    flushed = shown_by(hub, all_first=all_first)

    in_memory = held_by(hub)
    written = held_by(hub)
    for name, which in after:
        DOINGS[name](doing, which)
    hub.lose_unsaved()
    hub.flush()
    after_loss = held_by(hub)
    hub.close()

    assert not_flushed == flushed
    assert in_memory == written
    assert after_loss == written
