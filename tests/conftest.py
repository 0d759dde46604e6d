"""Fixtures for the tests of every folder."""

from typing import Any

import pytest
from opentelemetry.trace import use_span

from activities import clock
from durablehost.testing import Answer, ManualHub
from tests.bound_settings import set_bound_settings
from tests.described import SPAN, revealed, undescribed, untraced

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

    Timer functions fire as a test lets time pass, and go by that clock. Every answer of the app has
    to be one that openapi.json describes. A 202 and a problem say their trace. No answer contains a
    secret of the settings.
    """
    send = hub.request

    async def request(method: str, path: str, **options: Any) -> Answer:
        with use_span(SPAN):
            answer = await send(method, path, **options)
        assert [*undescribed(method, path, answer), *untraced(method, path, answer)] == []
        assert list(revealed(answer)) == []
        return answer

    monkeypatch.setattr(hub, "request", request)
    monkeypatch.setattr(clock, "now", hub.clock.now)
    return hub
