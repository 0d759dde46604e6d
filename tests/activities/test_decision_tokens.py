"""A token is good for its approval, its role and its time, and for nothing else."""

from dataclasses import replace
from datetime import UTC, datetime, timedelta

import pytest

from activities.decision_tokens import DecisionGrant, check_token, make_token
from orchestration.failures import Failure

GRANT = DecisionGrant("approval:PAY-1", "lead", "2026-01-31T00:00:00Z")
EXPIRES = datetime(2026, 1, 31, tzinfo=UTC)
BEFORE = EXPIRES - timedelta(seconds=1)


@pytest.fixture(autouse=True)
def key(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("DECISION_KEY", "k" * 32)


def refusal(token: str, approval: str = GRANT.operation, now: datetime = BEFORE) -> str:
    with pytest.raises(Failure) as caught:
        check_token(token, approval, now)
    assert not caught.value.retriable
    return caught.value.code


def test_a_token_gives_the_grant_it_was_made_for() -> None:
    assert check_token(make_token(GRANT), GRANT.operation, BEFORE) == GRANT


def test_a_token_is_the_same_each_time_it_is_made() -> None:
    assert make_token(GRANT) == make_token(replace(GRANT))


def test_a_token_is_good_until_it_expires_to_the_second() -> None:
    assert refusal(make_token(GRANT), now=EXPIRES) == "token_expired"


@pytest.mark.parametrize(
    "other",
    [
        replace(GRANT, operation="approval:PAY-2"),
        replace(GRANT, role="director"),
        replace(GRANT, expires="2027-01-31T00:00:00Z"),
    ],
)
def test_the_signature_of_another_grant_is_refused(other: DecisionGrant) -> None:
    signature = make_token(other).rpartition(".")[2]

    assert refusal(f"{GRANT.role}.{GRANT.expires}.{signature}") == "token_invalid"


@pytest.mark.parametrize(
    "junk",
    ["", ".", "..", "lead", "lead.x", "lead.2026-01-31T00:00:00Z.", "\x00", "é.é.é", "." * 300],
)
def test_an_invalid_token_is_refused(junk: str) -> None:
    assert refusal(junk) == "token_invalid"


def test_every_character_of_a_token_counts() -> None:
    token = make_token(GRANT)
    changed = [
        token[:at] + ("B" if letter == "A" else "A") + token[at + 1 :]
        for at, letter in enumerate(token)
    ]

    assert {refusal(each) for each in changed} == {"token_invalid"}


@pytest.mark.parametrize("short", ["", "k" * 31])
def test_a_short_key_signs_nothing(monkeypatch: pytest.MonkeyPatch, short: str) -> None:
    token = make_token(GRANT)
    monkeypatch.setenv("DECISION_KEY", short)

    assert refusal(token) == "not_configured"
    with pytest.raises(Failure):
        make_token(GRANT)


def test_another_key_signs_otherwise(monkeypatch: pytest.MonkeyPatch) -> None:
    token = make_token(GRANT)
    monkeypatch.setenv("DECISION_KEY", "j" * 32)

    assert refusal(token) == "token_invalid"


def test_a_token_of_the_key_before_stays_valid_after_a_rotation(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    token = make_token(GRANT)
    monkeypatch.setenv("DECISION_KEY_BEFORE", "k" * 32)
    monkeypatch.setenv("DECISION_KEY", "j" * 32)

    assert make_token(GRANT) != token
    assert check_token(make_token(GRANT), GRANT.operation, BEFORE) == GRANT
    assert check_token(token, GRANT.operation, BEFORE) == GRANT


def test_a_token_is_void_after_two_rotations(monkeypatch: pytest.MonkeyPatch) -> None:
    token = make_token(GRANT)
    monkeypatch.setenv("DECISION_KEY_BEFORE", "j" * 32)
    monkeypatch.setenv("DECISION_KEY", "i" * 32)

    assert refusal(token) == "token_invalid"


@pytest.mark.parametrize("short", ["", "k" * 31])
def test_a_missing_or_short_key_before_signs_nothing(
    short: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("DECISION_KEY", (short or "j").ljust(32, "j"))
    token = make_token(GRANT)
    monkeypatch.setenv("DECISION_KEY_BEFORE", short)
    monkeypatch.setenv("DECISION_KEY", "i" * 32)

    assert refusal(token) == "token_invalid"
