"""The pytest fixture `hub`, for any project that has durablehost installed.

It runs the app (`function_app.py`) of the folder that pytest was started in, else of pytest's root
folder, or the one that an overriding fixture `app` returns. Whoever runs pytest imports this, with
or without an app: so durablehost itself is imported where it is used.
"""

from collections.abc import AsyncIterator
from importlib.util import find_spec
from typing import TYPE_CHECKING

import pytest

if TYPE_CHECKING:
    from durablehost.testing import ManualHub


@pytest.fixture(scope="session")
def app(pytestconfig: pytest.Config) -> object:
    """The app under test. Override it for another."""
    from durablehost.testing import load_app

    started_in = pytestconfig.invocation_params.dir
    here = (started_in / "function_app.py").is_file()
    return load_app(started_in if here else pytestconfig.rootpath)


if find_spec("pytest_asyncio"):
    import pytest_asyncio

    @pytest_asyncio.fixture
    async def hub(app: object) -> "AsyncIterator[ManualHub]":
        """A task hub in memory, with a clock that the test moves."""
        from durablehost.testing import ManualHub

        async with ManualHub(app) as manual:
            yield manual

else:

    @pytest.fixture
    def hub() -> None:
        """Say what is missing."""
        pytest.fail("the fixture 'hub' is async: python -m pip install pytest-asyncio", False)
