"""What opens the tax office: a ticket, the host's own token, or nothing."""

import pytest

from activities.tax import Access, Applicant, obtain_tax_access
from orchestration.failures import Failure
from tests.outside import Sandbox

APPLICANT = Applicant(vat_id="DE123456789")


async def test_an_office_without_authentication_is_asked_without_a_ticket(
    sandbox: Sandbox, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("TAX_URL", "https://tax.example/api/")

    access: Access = await obtain_tax_access(APPLICANT)

    assert access == {"url": "https://tax.example/api", "resource": None, "ticket": None}


async def test_a_token_buys_another_ticket_each_time(
    sandbox: Sandbox, monkeypatch: pytest.MonkeyPatch
) -> None:
    await sandbox.put("/tax/office", token="open-sesame")
    monkeypatch.setenv("TAX_TOKEN", "open-sesame")

    first, second = [await obtain_tax_access(APPLICANT) for _ in range(2)]

    assert first["ticket"] != second["ticket"]
    assert "open-sesame" not in str([first, second])


async def test_a_token_that_the_office_does_not_know_is_final(
    sandbox: Sandbox, monkeypatch: pytest.MonkeyPatch
) -> None:
    await sandbox.put("/tax/office", token="open-sesame")
    monkeypatch.setenv("TAX_TOKEN", "wrong")

    with pytest.raises(Failure) as caught:
        await obtain_tax_access(APPLICANT)

    assert (caught.value.code, caught.value.retriable) == ("token_missing", False)
    assert "wrong" not in str(caught.value)


async def test_no_token_is_read_if_the_office_knows_the_identity_of_the_app(
    sandbox: Sandbox, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("TAX_TOKEN", "open-sesame")
    monkeypatch.setenv("TAX_RESOURCE", "api://tax-office")

    access: Access = await obtain_tax_access(APPLICANT)

    assert (access["resource"], access["ticket"]) == ("api://tax-office", None)


async def test_without_an_address_it_says_which_setting_is_missing(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.delenv("TAX_URL", raising=False)

    with pytest.raises(Failure, match="TAX_URL is missing"):
        await obtain_tax_access(APPLICANT)
