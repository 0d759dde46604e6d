"""Activities as work: taken and committed."""

from durablehost.hub import history
from durablehost.hub.backend import Backend, NewActivity
from tests.durablehost.store.storing import NOW, call, running, start, take


def test_activities_are_offered_once_in_the_order_in_which_they_were_scheduled(
    backend: Backend,
) -> None:
    call(backend, "a", ["fetch", "check", "store"])

    taken = [backend.next_activity() for _ in range(4)]

    assert [work and work.name for work in taken] == ["fetch", "check", "store", None]


def test_activities_become_work_at_the_flush_and_not_before(backend: Backend) -> None:
    start(backend, "a")
    backend.flush()
    work = take(backend)
    backend.commit_orchestration(work, running(work, activities=[NewActivity(0, "fetch", "1")]))

    before = backend.next_activity()
    backend.flush()
    activity = backend.next_activity()

    assert before is None
    assert activity is not None
    assert (activity.name, activity.input) == ("fetch", "1")


def test_the_end_of_an_activity_goes_to_its_orchestration(backend: Backend) -> None:
    call(backend, "a", ["fetch"])
    activity = backend.next_activity()
    assert activity is not None
    end = history.task_completed(NOW, activity.task_id, '"fetched"')
    backend.commit_activity(activity, end)
    backend.flush()

    assert take(backend).new == [end]
    assert backend.next_activity() is None
