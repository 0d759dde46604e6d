"""External events in episodes: early, late, twice, in another case."""

from tests.durablehost.episodes.stepping import (
    LATER,
    Context,
    Episodes,
    Flow,
    called,
    completed,
    fired,
    output,
    problems,
    raised,
)


def wait_twice(context: Context) -> Flow:
    first = yield context.wait_for_external_event("e")
    second = yield context.wait_for_external_event("e")
    return [first, second]


def test_waiting_schedules_nothing_and_takes_no_id() -> None:
    def flow(context: Context) -> Flow:
        yield context.wait_for_external_event("e")
        yield context.call_activity("act")

    instance = Episodes(flow)

    assert instance.begin().scheduled == []
    assert called(instance.next(raised("e"))) == [(0, "null")]


def test_events_of_one_name_are_taken_one_wait_at_a_time() -> None:
    instance = Episodes(wait_twice)
    instance.begin()
    instance.next(raised("e", 1))

    assert output(instance.next(raised("e", 2))) == [1, 2]


def test_an_event_that_comes_before_it_is_waited_for_is_kept() -> None:
    def flow(context: Context) -> Flow:
        yield context.call_activity("act")
        return (yield context.wait_for_external_event("early"))

    instance = Episodes(flow)
    instance.begin()
    instance.next(raised("early", {"a": 1}))

    assert output(instance.next(completed(0))) == {"a": 1}


def test_an_event_that_came_before_the_first_episode_is_kept() -> None:
    assert output(Episodes(wait_twice).begin(raised("e", 1), raised("e", 2))) == [1, 2]


def test_of_two_early_events_of_one_name_the_sdk_gives_the_last_to_every_wait() -> None:
    def flow(context: Context) -> Flow:
        yield context.call_activity("act")
        return (yield from wait_twice(context))

    instance = Episodes(flow)
    instance.begin()
    instance.next(raised("e", 1), raised("e", 2))

    assert output(instance.next(completed(0))) == [2, 2]


def test_one_early_event_ends_two_waits_for_the_sdk_but_only_one_for_the_host() -> None:
    def flow(context: Context) -> Flow:
        yield context.call_activity("act")
        return (yield from wait_twice(context))

    instance = Episodes(flow)
    instance.begin()
    instance.next(raised("e", 1))

    assert instance.next(completed(0)).instance.status == "Running"
    assert output(instance.next(raised("e", 2))) == [1, 1]


def test_of_two_waits_for_one_name_the_last_receives_the_event_first() -> None:
    def flow(context: Context) -> Flow:
        return (
            yield context.task_all(
                [context.wait_for_external_event("e"), context.wait_for_external_event("e")]
            )
        )

    instance = Episodes(flow)
    instance.begin()
    instance.next(raised("e", 1))

    assert output(instance.next(raised("e", 2))) == [2, 1]


def test_a_new_wait_receives_an_event_before_an_abandoned_one() -> None:
    def flow(context: Context) -> Flow:
        left = context.wait_for_external_event("e")
        yield context.task_any([left, context.create_timer(LATER)])
        fresh = context.wait_for_external_event("e")
        value = yield fresh
        return [value, left.is_completed]

    instance = Episodes(flow)
    instance.begin()
    instance.next(fired(0))

    assert output(instance.next(raised("e", 1))) == [1, False]


def test_an_event_in_another_case_is_used_up_and_the_orchestrator_waits_on() -> None:
    def flow(context: Context) -> Flow:
        return (yield context.wait_for_external_event("Approval"))

    instance = Episodes(flow)
    instance.begin()

    used_up = instance.next(raised("approval", 1))
    assert used_up.instance.status == "Running"
    assert problems(used_up) == ["event-name-case"]

    # the SDK goes on with the right one, but the host no longer waits for any
    assert output(instance.next(raised("Approval", 2))) == 2


def test_after_an_event_in_another_case_the_next_call_is_made_too_early() -> None:
    def flow(context: Context) -> Flow:
        first = yield context.wait_for_external_event("Go")
        yield context.call_activity("act", first)

    instance = Episodes(flow)
    instance.begin()
    instance.next(raised("go", "wrong"))

    assert called(instance.next(raised("Go", "right"))) == [(0, '"right"')]


def test_an_event_of_a_name_nobody_waits_for_changes_nothing() -> None:
    instance = Episodes(wait_twice)
    instance.begin()

    decision = instance.next(raised("other"))

    assert (decision.instance.status, decision.scheduled, decision.problems) == ("Running", [], [])


def test_an_event_comes_in_as_the_value_it_was_sent_as() -> None:
    def flow(context: Context) -> Flow:
        return (yield context.wait_for_external_event("e"))

    for value in (None, 0, "", '{"a": 1}', {"a": 1}, [1], False, 1.5):
        instance = Episodes(flow)
        instance.begin()
        assert output(instance.next(raised("e", value))) == value
