"""Fixtures for the tests of every folder."""

import pytest

from activities import clock
from durablehost.testing import ManualHub
from tests.bound_settings import set_bound_settings

set_bound_settings()

pytest_plugins = [
    "pytester",
    "tests.azurite",
    "tests.deploying",
    "tests.filing",
    "tests.left_out",
    "tests.outside",
    "tests.processes",
    "tests.refusing",
    "tests.scanning",
]


@pytest.fixture
def hub(hub: ManualHub, monkeypatch: pytest.MonkeyPatch) -> ManualHub:
    """The hub of the test kit, with the app's own clock set to the hub's.

    Timer functions fire as a test lets time pass, and go by that clock.
    """
    monkeypatch.setattr(clock, "now", hub.clock.now)
    return hub
