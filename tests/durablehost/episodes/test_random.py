"""Random orchestrators with random failures, orders and batches of what comes in.

Where the host and the SDK stay in lock-step, an instance must end as it does when it gets the same
events one at a time; where they do not, an episode must still come to some decision.
"""

from random import Random

from hypothesis import given, settings
from hypothesis import strategies as st

from tests.durablehost.episodes.programs import (
    Program,
    any_in,
    programs,
    result_of,
    run_in_batches,
    run_one_by_one,
    spared,
)
from tests.durablehost.episodes.stepping import output

ORDERS = st.randoms(use_true_random=False)
EVERY_TIME_THE_SAME = settings(max_examples=50, deadline=None, derandomize=True)


def ends_alike(program: Program, random: Random) -> None:
    decision, order, scheduled = run_in_batches(program, random)
    alone, scheduled_alone = run_one_by_one(program, order)

    assert decision.instance.status in ("Completed", "Failed")
    assert (alone.instance.status, alone.instance.output) == (
        decision.instance.status,
        decision.instance.output,
    )
    assert scheduled_alone == scheduled
    assert "Non-Deterministic" not in (decision.instance.output or "")


@EVERY_TIME_THE_SAME
@given(programs(failed_tries=2), ORDERS)
def test_groups_and_retries_that_come_right_end_alike_in_any_batches(
    program: Program, random: Random
) -> None:
    ends_alike(program, random)


@EVERY_TIME_THE_SAME
@given(programs(failures=1).map(spared), ORDERS)
def test_groups_with_failures_end_alike_in_any_batches(program: Program, random: Random) -> None:
    ends_alike(program, random)


@EVERY_TIME_THE_SAME
@given(programs(groups=False, failures=1, failed_tries=4), ORDERS)
def test_steps_with_failures_and_exhausted_retries_end_alike_in_any_batches(
    program: Program, random: Random
) -> None:
    ends_alike(program, random)


@EVERY_TIME_THE_SAME
@given(programs(failed_tries=2).filter(lambda program: not any_in(program)), ORDERS)
def test_an_app_without_a_race_has_one_result_in_any_order(
    program: Program, random: Random
) -> None:
    decision, _, _ = run_in_batches(program, random)

    assert decision.instance.status == "Completed"
    assert output(decision) == [result_of(step) for step in program]


@EVERY_TIME_THE_SAME
@given(programs(failures=1, failed_tries=3, cancels=True), ORDERS)
def test_every_generated_program_leads_to_a_decision(program: Program, random: Random) -> None:
    decision, _, scheduled = run_in_batches(program, random)

    assert decision.instance.status in ("Completed", "Failed", "Running")
    assert len(scheduled) == len(set(scheduled))
