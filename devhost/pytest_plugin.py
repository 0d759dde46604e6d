"""The pytest fixture `hub`, for any project that has devhost installed.

It runs the app of the folder that pytest was started in (`function_app.py`), or the one that an
overriding fixture `app` returns.
"""

import os
from collections.abc import AsyncIterator
from pathlib import Path

import pytest
import pytest_asyncio

from devhost.functions import FunctionTable
from devhost.loading import load_app
from devhost.settings import Settings, load_settings
from devhost.testing import ManualHub


@pytest.fixture(scope="session")
def app(pytestconfig: pytest.Config) -> object:
    """The app under test: by default the one in pytest's root folder. Override it for another."""
    return load_app(Path(pytestconfig.rootpath))


@pytest.fixture(scope="session")
def hub_settings(pytestconfig: pytest.Config) -> Settings:
    """What host.json beside the app under test says, such as the version of what is started."""
    folder = Path(pytestconfig.rootpath)
    exists = (folder / "host.json").is_file()
    return load_settings(folder, dict(os.environ)) if exists else Settings()


@pytest_asyncio.fixture
async def hub(app: FunctionTable, hub_settings: Settings) -> AsyncIterator[ManualHub]:
    """A task hub in memory, with a clock that the test moves."""
    async with ManualHub(app, settings=hub_settings) as manual:
        yield manual
