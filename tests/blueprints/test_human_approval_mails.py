"""When the people of an approval are mailed."""

from datetime import UTC, datetime, timedelta
from itertools import pairwise

from blueprints.human_approval_mails import Mails
from orchestration.failures import Failure

START = datetime(2026, 1, 1, tzinfo=UTC)
DAY = timedelta(days=1)
DOWN = Failure("mail_unavailable", "the mail is down", retriable=True)
REFUSED = Failure("bad_request", "there is no such address")
ROLES = ["lead"]


def some_mails() -> Mails:
    mails = Mails(remind_every=DAY)
    mails.add(ROLES, START)
    return mails


def test_the_pause_between_reminders_doubles_after_the_seventh() -> None:
    mails, days = some_mails(), []
    for _ in range(10):
        now = mails.next_due(ROLES)
        days.append((now - START) // DAY)
        mails.succeeded("lead", now)

    assert days == [0, 1, 2, 3, 4, 5, 6, 7, 9, 13]


def test_a_mail_that_fails_is_tried_again_for_twenty_hours_and_then_as_a_reminder() -> None:
    mails, attempts = some_mails(), []
    while not mails.unreached(ROLES):
        attempts.append(mails.next_due(ROLES) - START)
        mails.failed("lead", DOWN, START + attempts[-1])

    pauses = [(after - before).total_seconds() for before, after in pairwise(attempts)]
    assert pauses[:4] == [2, 4, 8, 16]
    assert max(pauses) == 20 * 60
    assert timedelta(hours=19, minutes=30) < attempts[-1] <= timedelta(hours=20)
    assert mails.next_due(ROLES) == START + attempts[-1] + DAY


def test_a_refused_mail_is_not_tried_again_before_the_next_reminder() -> None:
    mails = some_mails()

    mails.failed("lead", REFUSED, START)

    assert mails.unreached(ROLES) == [REFUSED]
    assert mails.next_due(ROLES) == START + DAY


def test_a_person_who_received_a_mail_counts_as_reached_when_a_reminder_fails() -> None:
    mails = some_mails()
    mails.succeeded("lead", START)

    mails.failed("lead", REFUSED, START + DAY)

    assert mails.unreached(ROLES) == []


def test_nothing_is_due_when_nobody_is_left_to_mail() -> None:
    assert some_mails().next_due([]).year == 9999
