"""One deployment of the app after another, over one hub, on one clock."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import replace
from datetime import datetime
from pathlib import Path
from typing import Any

import pytest

from activities import clock
from durablehost.app.functions import FunctionTable
from durablehost.settings import settings_for_tests
from durablehost.testing import ManualHub


class Place:
    """Where the app is deployed: its hub stays when its code and its settings change."""

    def __init__(self, app: FunctionTable, data: Path, start: datetime) -> None:
        self._app, self._data = app, data
        self.now = start

    @asynccontextmanager
    async def runs(
        self, default_version: str, app: FunctionTable | None = None, **strategies: Any
    ) -> AsyncIterator[ManualHub]:
        """The app, or another, with this defaultVersion, from where the last one stopped.

        Strategies are the host's own where none is given.
        """
        settings = replace(settings_for_tests(None), default_version=default_version, **strategies)
        hub = ManualHub(app or self._app, settings=settings, data=self._data, start=self.now)
        async with hub:
            with pytest.MonkeyPatch.context() as patch:
                patch.setattr(clock, "now", hub.clock.now)
                await hub.run_until_idle()
                yield hub
            self.now = hub.clock.now()


@pytest.fixture
def place(durable_app: FunctionTable, hub: ManualHub, sandbox: object, tmp_path: Path) -> Place:
    return Place(durable_app, tmp_path / "hub.db", hub.clock.now())
