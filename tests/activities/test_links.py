"""A link in a mail leads to the app, says what its holder may do, and lets them in."""

import pytest

from activities.decision_tokens import DecisionGrant, make_token
from activities.links import link_to

GRANT = DecisionGrant("approval:PAY-1", "lead", "2026-01-31T00:00:00Z")


@pytest.fixture(autouse=True)
def settings(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("DECISION_KEY", "a-key-for-tests-that-is-long-enough")
    for name in ("PUBLIC_URL", "WEBSITE_HOSTNAME", "LINK_KEY"):
        monkeypatch.delenv(name, raising=False)


def test_a_link_has_the_token_of_its_grant_and_no_key_if_none_is_set() -> None:
    assert link_to("x", GRANT) == f"http://localhost:7071/api/x?token={make_token(GRANT)}"


def test_a_link_has_the_key_that_the_host_asks_for(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("LINK_KEY", "a+b/c==")

    assert link_to("x", GRANT).endswith(f"?token={make_token(GRANT)}&code=a%2Bb%2Fc%3D%3D")


@pytest.mark.parametrize(
    ("setting", "value", "begins"),
    [
        ("WEBSITE_HOSTNAME", "pay.azurewebsites.net", "https://pay.azurewebsites.net/api/x?"),
        ("WEBSITE_HOSTNAME", "127.0.0.1:7171", "http://127.0.0.1:7171/api/x?"),
        ("PUBLIC_URL", "https://pay.example.com/", "https://pay.example.com/api/x?"),
    ],
)
def test_a_link_begins_with_the_public_url_of_the_app(
    monkeypatch: pytest.MonkeyPatch, setting: str, value: str, begins: str
) -> None:
    monkeypatch.setenv(setting, value)

    assert link_to("x", GRANT).startswith(begins)
