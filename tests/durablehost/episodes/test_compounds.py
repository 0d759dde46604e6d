"""Groups of tasks in episodes: all of them, the first of them, groups in groups."""

from tests.durablehost.episodes.stepping import (
    Context,
    Episodes,
    Flow,
    called,
    completed,
    failed,
    output,
    problems,
    raised,
)


def test_results_come_in_the_order_of_the_tasks() -> None:
    def flow(context: Context) -> Flow:
        return (yield context.task_all([context.call_activity("act", n) for n in range(3)]))

    instance = Episodes(flow)
    assert called(instance.begin()) == [(0, "0"), (1, "1"), (2, "2")]
    instance.next(completed(2, "c"))
    instance.next(completed(0, "a"))

    assert output(instance.next(completed(1, "b"))) == ["a", "b", "c"]


def test_an_empty_group_returns_none_and_continues_at_once() -> None:
    def flow(context: Context) -> Flow:
        everything = yield context.task_all([])
        anything = yield context.task_any([])
        yield context.call_activity("act", [everything, anything])

    assert called(Episodes(flow).begin()) == [(0, "[null, null]")]


def test_the_first_to_end_wins_even_by_failing() -> None:
    def flow(context: Context) -> Flow:
        tasks = [context.call_activity("act", n) for n in range(2)]
        winner = yield context.task_any(tasks)
        return [tasks.index(winner), str(winner.result)]

    instance = Episodes(flow)
    instance.begin()

    assert instance.next(failed(1, "broken")).instance.status == "Running"
    assert output(instance.next(completed(0))) == [1, "broken \n details"]


def test_a_loser_of_one_race_can_win_the_next() -> None:
    def flow(context: Context) -> Flow:
        tasks = [context.call_activity("act", n) for n in range(3)]
        order = []
        while tasks:
            winner = yield context.task_any(tasks)
            order.append(winner.result)
            tasks.remove(winner)
        return order

    instance = Episodes(flow)
    instance.begin()
    instance.next(completed(1, "b"))
    instance.next(completed(2, "c"))

    assert output(instance.next(completed(0, "a"))) == ["b", "c", "a"]


def test_tasks_that_lost_a_race_keep_the_instance_running_until_they_end() -> None:
    def flow(context: Context) -> Flow:
        yield context.task_any([context.call_activity("act", n) for n in range(3)])
        return "first"

    instance = Episodes(flow)
    instance.begin()

    assert instance.next(completed(0)).instance.status == "Running"
    assert instance.next(failed(1)).instance.status == "Running"
    assert output(instance.next(completed(2))) == "first"


def test_a_task_yielded_again_gives_its_result_again() -> None:
    def flow(context: Context) -> Flow:
        task = context.call_activity("act")
        first = yield task
        second = yield task
        return [first, second]

    instance = Episodes(flow)
    instance.begin()

    assert output(instance.next(completed(0, "a"))) == ["a", "a"]


def test_a_task_can_stand_in_a_group_after_it_has_ended() -> None:
    def flow(context: Context) -> Flow:
        old = context.call_activity("act", "old")
        yield old
        return (yield context.task_all([old, context.call_activity("act", "new")]))

    instance = Episodes(flow)
    instance.begin()

    assert called(instance.next(completed(0, 1))) == [(1, '"new"')]
    assert output(instance.next(completed(1, 2))) == [1, 2]


def test_groups_stand_in_groups() -> None:
    def flow(context: Context) -> Flow:
        pairs = [
            context.task_any([context.call_activity("act", n), context.call_activity("act", -n)])
            for n in (1, 2)
        ]
        winners = yield context.task_all(pairs)
        return [winner.result for winner in winners]

    instance = Episodes(flow)
    assert called(instance.begin()) == [(0, "1"), (1, "-1"), (2, "2"), (3, "-2")]
    instance.next(completed(1, "b"), completed(2, "c"))

    assert output(instance.next(completed(0, "a"), completed(3, "d"))) == ["b", "c"]


def test_an_event_that_wins_a_race_leaves_the_activity_to_end_by_itself() -> None:
    def flow(context: Context) -> Flow:
        work, stop = context.call_activity("act"), context.wait_for_external_event("stop")
        winner = yield context.task_any([work, stop])
        return "stopped" if winner is stop else "worked"

    instance = Episodes(flow)
    instance.begin()

    assert problems(instance.next(raised("stop"))) == ["kept-running"]
    assert output(instance.next(completed(0))) == "stopped"
