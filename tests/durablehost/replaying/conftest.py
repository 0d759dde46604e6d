"""Fixtures of this folder."""

import pytest

from tests.source import ROOT


@pytest.fixture(autouse=True)
def at_the_root(monkeypatch: pytest.MonkeyPatch) -> None:
    """Problems name files from the current folder, which tests that load an app change."""
    monkeypatch.chdir(ROOT)
