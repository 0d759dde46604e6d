"""Settings: flags, numbers up to their caps, and secrets."""

import pytest

from activities.settings import flag_setting, number_setting, secret_setting
from orchestration.failures import Failure


@pytest.mark.parametrize(
    ("text", "number"),
    [("1", 1), ("7", 7), ("100", 100), ("101", 100), ("9" * 5000, 100), ("", 20)],
)
def test_a_number_is_taken_up_to_its_cap(
    monkeypatch: pytest.MonkeyPatch, text: str, number: int
) -> None:
    monkeypatch.setenv("AT_ONCE", text)

    assert number_setting("AT_ONCE", usually=20, most=100) == number


def test_a_setting_that_is_missing_is_as_usual(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("AT_ONCE", raising=False)

    assert number_setting("AT_ONCE", usually=20, most=100) == 20


@pytest.mark.parametrize("text", ["0", "-1", "many", "1.5", "²", " 5"])
def test_a_setting_that_is_not_a_number_is_named(
    monkeypatch: pytest.MonkeyPatch, text: str
) -> None:
    monkeypatch.setenv("AT_ONCE", text)

    with pytest.raises(Failure, match="the setting AT_ONCE is") as raised:
        number_setting("AT_ONCE", usually=20, most=100)

    assert (raised.value.code, raised.value.retriable) == ("not_configured", False)


@pytest.mark.parametrize(
    ("text", "flag"),
    [("true", True), ("True", True), ("false", False), ("FALSE", False), ("", False)],
)
def test_a_flag_is_true_or_false(monkeypatch: pytest.MonkeyPatch, text: str, flag: bool) -> None:
    monkeypatch.setenv("DRY_RUN", text)

    assert flag_setting("DRY_RUN") is flag


def test_a_flag_that_is_missing_is_false(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("DRY_RUN", raising=False)

    assert flag_setting("DRY_RUN") is False


@pytest.mark.parametrize("text", ["yes", "1", "0", "tru", " true"])
def test_a_flag_that_is_neither_is_named(monkeypatch: pytest.MonkeyPatch, text: str) -> None:
    monkeypatch.setenv("DRY_RUN", text)

    with pytest.raises(Failure, match="the setting DRY_RUN is") as raised:
        flag_setting("DRY_RUN")

    assert (raised.value.code, raised.value.retriable) == ("not_configured", False)


@pytest.mark.parametrize("text", ["", "a-key", "not @Microsoft.KeyVault(…)"])
def test_a_secret_is_what_the_setting_holds(monkeypatch: pytest.MonkeyPatch, text: str) -> None:
    monkeypatch.setenv("A_KEY", text)

    assert secret_setting("A_KEY") == text


def test_a_reference_that_azure_could_not_read_is_not_taken_for_the_secret(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setenv("A_KEY", "@Microsoft.KeyVault(SecretUri=https://v/secrets/a-key)")

    with pytest.raises(Failure, match="the setting A_KEY is an unread secret") as failed:
        secret_setting("A_KEY")
    assert failed.value.code == "not_configured"
