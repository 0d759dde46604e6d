"""Who is asked about a payment, and what the mail says."""

import pytest

from activities.approvals import DecisionRequest, Payment, request_approval, set_approval_terms
from orchestration.failures import Failure
from tests.outside import Sandbox

ASK = "decide on the payment of invoice INV-1 of acme"


def a_payment(amount_cents: int = 250_000, requested_by: str = "ada@example.com") -> Payment:
    return Payment(
        vendor="acme",
        number="INV-1",
        amount_cents=amount_cents,
        purpose="",
        requested_by=requested_by,
    )


def a_request(role: str = "lead", times: int = 0) -> DecisionRequest:
    return DecisionRequest(
        approval="approval:acme:INV-1",
        payment=a_payment(),
        role=role,
        address=f"{role}@example.com",
        expires="2026-01-31T00:00:00Z",
        times=times,
    )


@pytest.mark.parametrize(
    ("amount_cents", "requester", "asked", "needed", "escalated_to"),
    [
        (1_000_000, "ada", ["lead"], 1, ["cfo"]),
        (1_000_001, "ada", ["lead", "controller", "director"], 2, ["cfo"]),
        (1_000_000, "lead", ["cfo"], 1, []),
        (1_000_000, "LEAD", ["cfo"], 1, []),
        (1_000_001, "lead", ["controller", "director"], 2, ["cfo"]),
        (1_000_000, "cfo", ["lead"], 1, []),
        (1_000_001, "cfo", ["lead", "controller", "director"], 2, []),
    ],
)
def test_the_amount_and_the_requester_determine_who_decides(
    amount_cents: int, requester: str, asked: list[str], needed: int, escalated_to: list[str]
) -> None:
    terms = set_approval_terms(a_payment(amount_cents, f"{requester}@example.com"))

    assert (list(terms["asked"]), terms["needed"]) == (asked, needed)
    assert list(terms["escalated_to"]) == escalated_to


def test_a_setting_names_another_person(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("APPROVER_LEAD", "grace@example.com")

    assert set_approval_terms(a_payment())["asked"] == {"lead": "grace@example.com"}


def test_people_cannot_decide_on_their_own_payments(monkeypatch: pytest.MonkeyPatch) -> None:
    for role in ("LEAD", "CFO"):
        monkeypatch.setenv(f"APPROVER_{role}", "ada@example.com")

    with pytest.raises(Failure, match="nobody_to_ask"):
        set_approval_terms(a_payment())


def test_one_person_in_two_roles_has_one_vote(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("APPROVER_DIRECTOR", "Lead@example.com")

    terms = set_approval_terms(a_payment(1_000_001))

    assert list(terms["asked"]) == ["lead", "controller"]


@pytest.mark.parametrize("value", ["0", "-1", "1.5", "a day", "²"])
def test_a_setting_that_is_not_a_number_is_named(
    monkeypatch: pytest.MonkeyPatch, value: str
) -> None:
    monkeypatch.setenv("APPROVAL_EXPIRE_HOURS", value)

    with pytest.raises(Failure, match="APPROVAL_EXPIRE_HOURS") as caught:
        set_approval_terms(a_payment())

    assert (caught.value.code, caught.value.retriable) == ("not_configured", False)


async def test_running_twice_sends_one_mail(sandbox: Sandbox) -> None:
    first = await request_approval(a_request())
    second = await request_approval(a_request())

    assert first == second
    assert len(await sandbox.mails("lead@example.com")) == 1


async def test_a_reminder_is_another_mail(sandbox: Sandbox) -> None:
    for times in range(3):
        await request_approval(a_request(times=times))

    subjects = [mail["subject"] for mail in await sandbox.mails("lead@example.com")]
    assert subjects == [ASK] + [f"Reminder: {ASK}"] * 2


async def test_each_role_has_its_own_link(sandbox: Sandbox) -> None:
    links = set()
    for role in ("lead", "director"):
        await request_approval(a_request(role))
        links.add((await sandbox.mails(f"{role}@example.com"))[0]["text"].split("?token=")[1])

    assert len(links) == 2
