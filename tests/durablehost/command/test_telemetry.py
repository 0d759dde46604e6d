"""What durablehost says and does about telemetry before it starts."""

import sys

import pytest

from durablehost.command.telemetry import load_tracing

COLLECTOR = {"OTEL_EXPORTER_OTLP_ENDPOINT": "http://127.0.0.1:4318"}


def test_nothing_is_exported_and_imported_if_no_setting_names_a_collector(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setitem(sys.modules, "durablehost.tracing", None)  # its import would fail

    assert load_tracing({}, "app") is None


def test_a_warning_says_what_to_install_if_the_packages_for_telemetry_are_missing(
    monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    monkeypatch.setitem(sys.modules, "durablehost.tracing", None)

    assert load_tracing(COLLECTOR, "app") is None

    assert "Install durablehost with its extra [telemetry]." in caplog.text
