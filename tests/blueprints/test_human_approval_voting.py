"""Which votes count, and what they come to."""

import json
from datetime import UTC, datetime

import pytest

from blueprints.human_approval_voting import Ballot, Choice, Vote

UNTIL = datetime(2026, 1, 31, tzinfo=UTC)
IN_TIME, TOO_LATE = "2026-01-30T23:59:59Z", "2026-01-31T00:00:00Z"
ROLES = ("lead", "controller", "director")


def a_ballot(needed: int = 2) -> Ballot:
    return Ballot(needed, UNTIL, {role: f"{role}@example.com" for role in ROLES})


def a_vote(decision: Choice = "approve", comment: str = "", at: str = IN_TIME) -> Vote:
    return Vote(decision=decision, comment=comment, at=at)


@pytest.mark.parametrize(
    ("needed", "decisions", "result"),
    [
        (1, [], None),
        (1, ["approve"], "approved"),
        (1, ["reject"], "rejected"),
        (2, ["approve"], None),
        (2, ["approve", "reject"], None),
        (2, ["approve", "reject", "approve"], "approved"),
        (2, ["reject", "approve", "reject"], "rejected"),
    ],
)
def test_enough_equal_votes_decide_the_approval(
    needed: int, decisions: list[Choice], result: str | None
) -> None:
    ballot = a_ballot(needed)
    for role, decision in zip(ROLES, decisions, strict=False):
        assert ballot.take(role, a_vote(decision))

    assert ballot.result == result


@pytest.mark.parametrize(
    ("role", "vote"),
    [("lead", None), ("lead", a_vote(at=TOO_LATE)), ("cfo", a_vote())],
)
def test_a_vote_that_is_malformed_late_or_of_nobody_asked_does_not_count(
    role: str, vote: Vote | None
) -> None:
    ballot = a_ballot()

    assert not ballot.take(role, vote)
    assert ballot == a_ballot()


def test_a_second_vote_of_a_role_does_not_count() -> None:
    ballot = a_ballot()
    ballot.take("lead", a_vote("reject"))

    assert not ballot.take("lead", a_vote("approve"))
    assert ballot.decided == {"lead": "reject"}


def test_a_person_who_is_asked_later_may_vote_from_then_on() -> None:
    ballot = a_ballot()
    assert not ballot.take("cfo", a_vote())

    ballot.asked["cfo"] = "cfo@example.com"

    assert ballot.take("cfo", a_vote())
    assert set(ballot.undecided) == set(ROLES)


def test_the_status_stays_small_however_long_the_comments_are() -> None:
    ballot = a_ballot(needed=3)
    for role in ROLES:
        ballot.take(role, a_vote(comment="\N{PILE OF POO}" * 2000))

    assert len(json.dumps(ballot.as_status())) < 500
