"""The pytest fixtures `durable_app` and `hub`, for every project that has durablehost installed.

A coroutine test that uses `hub` needs no other plugin and no configuration. Where pytest-asyncio
or anyio is installed, they run it.

Pytest imports this module in every project of the environment. It imports the rest of durablehost,
and with it the SDK, only once a test asks for one of the fixtures.
"""

import asyncio
import functools
import inspect
import sys
from collections.abc import Awaitable, Callable, Generator, Iterator, Sequence
from typing import TYPE_CHECKING, Any

import pytest

if TYPE_CHECKING:
    from durablehost.testing import ManualHub


@pytest.fixture(scope="session")
def durable_app(pytestconfig: pytest.Config) -> object:
    """The app under test: a folder, an app object, or what `load_app` returns.

    By default the app (`function_app.py`) of the folder that pytest was started in, or of pytest's
    root folder. Override this fixture to test another app.
    """
    from durablehost.testing import load_app

    started_in = pytestconfig.invocation_params.dir
    here = (started_in / "function_app.py").is_file()
    return load_app(started_in if here else pytestconfig.rootpath)


@pytest.fixture
def hub(durable_app: object) -> "Iterator[ManualHub]":
    """A task hub in memory that runs the app, with a clock that the test moves."""
    from durablehost.testing import ManualHub

    manual = ManualHub(durable_app)
    yield manual
    manual.shut()


@pytest.hookimpl(wrapper=True, trylast=True)
def pytest_pycollect_makeitem(collector: pytest.Collector) -> Generator[None, Any, Any]:
    """Let pytest-asyncio run the coroutine tests that use `hub`, in its strict mode too.

    Async fixtures of pytest-asyncio run on its own event loop, so such a test has to run there.
    """
    made = yield
    if collector.config.pluginmanager.hasplugin("asyncio"):
        for item in made if isinstance(made, Sequence) else [made]:
            if isinstance(item, pytest.Function) and _is_ours_to_run(item):
                item.add_marker("asyncio")
    return made


def _is_ours_to_run(item: pytest.Function) -> bool:
    """Whether it is a coroutine test with a hub that no other plugin is asked to run."""
    return (
        inspect.iscoroutinefunction(item.obj)
        and {"hub", "durable_app"} <= set(item.fixturenames)
        and "anyio_backend" not in item.fixturenames
        and item.get_closest_marker("asyncio") is None
    )


@pytest.hookimpl(wrapper=True, tryfirst=True)
def pytest_runtest_call(item: pytest.Item) -> Generator[None, Any, Any]:
    """Close the connections of a hub on the event loop of the test that used it."""
    hubs = _hubs_of(item)
    if not hubs or not isinstance(item, pytest.Function):
        return (yield)
    test = item.obj
    if inspect.iscoroutinefunction(test):
        item.obj = _disconnecting(test, hubs)
    try:
        return (yield)
    finally:
        item.obj = test


def _disconnecting(
    test: Callable[..., Awaitable[None]], hubs: "list[ManualHub]"
) -> Callable[..., Awaitable[None]]:
    @functools.wraps(test)
    async def run(*args: Any, **kwargs: Any) -> None:
        __tracebackhide__ = True
        try:
            await test(*args, **kwargs)
        finally:
            for hub in hubs:
                await hub.disconnect()

    return run


@pytest.hookimpl
def pytest_pyfunc_call(pyfuncitem: pytest.Function) -> bool | None:
    """Run a coroutine test that uses a hub, where no other plugin does."""
    if not _hubs_of(pyfuncitem) or not inspect.iscoroutinefunction(pyfuncitem.obj):
        return None
    arguments = {name: pyfuncitem.funcargs[name] for name in pyfuncitem._fixtureinfo.argnames}
    with asyncio.Runner(loop_factory=asyncio.new_event_loop) as runner:
        runner.run(pyfuncitem.obj(**arguments))
    return True


def _hubs_of(item: pytest.Item) -> "list[ManualHub]":
    """The hubs among the fixtures of a test, whatever the fixtures' names are."""
    testing = sys.modules.get("durablehost.testing")
    fixtures: dict[str, object] = getattr(item, "funcargs", {})
    if testing is None:
        return []
    return [value for value in fixtures.values() if isinstance(value, testing.ManualHub)]
