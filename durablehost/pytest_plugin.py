"""The pytest fixtures `durable_app`, `hub` and `sync_hub`.

A coroutine test that uses one of them needs no other plugin and no configuration. If
pytest-asyncio or anyio is installed, it runs the test. Other tests use `sync_hub`.

Pytest imports this module in every project of the environment. It imports the rest of durablehost,
and with it the SDK, only once a test asks for one of the fixtures.
"""

import asyncio
import functools
import inspect
import re
import sys
from collections.abc import Awaitable, Callable, Generator, Iterator, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

if TYPE_CHECKING:
    from durablehost.testing import ManualHub, SyncHub
    from durablehost.testing.app_under_test import AppUnderTest


def pytest_addoption(parser: pytest.Parser) -> None:
    """Register `--record` and `--keep-hub`."""
    group = parser.getgroup("durablehost")
    group.addoption(
        "--keep-hub",
        nargs="?",
        const=".durablehost/failed",
        metavar="DIR",
        help="write the hub of each test that fails into this folder, for `durablehost show`"
        " (default: .durablehost/failed)",
    )
    group.addoption(
        "--record",
        nargs="?",
        const="tests/histories",
        metavar="DIR",
        help="let `hub.record(id, name)` write histories into this folder for `durablehost replay`"
        " (default: tests/histories)",
    )


def pytest_configure(config: pytest.Config) -> None:
    """Register the marker."""
    config.addinivalue_line(
        "markers",
        "allow_problems(*kinds): let the test pass with problems of these kinds that durablehost"
        " notices, such as 'short-timer'; without a kind, with any problem",
    )


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
def hub(durable_app: object, pytestconfig: pytest.Config) -> "Iterator[ManualHub]":
    """A task hub in memory that runs the app, with a clock that the test moves."""
    from durablehost.testing import ManualHub

    manual = ManualHub(durable_app)
    manual.recordings = _recordings(pytestconfig)
    yield manual
    manual.shut()


@pytest.fixture
def sync_hub(durable_app: object, pytestconfig: pytest.Config) -> "Iterator[SyncHub]":
    """The same in blocking form, for tests that are not coroutines."""
    from durablehost.testing import SyncHub

    blocking = SyncHub(durable_app)
    blocking.recordings = _recordings(pytestconfig)
    yield blocking
    blocking.close()


def _recordings(config: pytest.Config) -> Path | None:
    folder = config.getoption("--record")
    return config.rootpath / folder if folder else None


@pytest.hookimpl(wrapper=True, trylast=True)
def pytest_pycollect_makeitem(collector: pytest.Collector) -> Generator[None, Any, Any]:
    """Let pytest-asyncio run the coroutine tests of the app, in its strict mode too.

    Async fixtures of pytest-asyncio run on its own event loop, so such a test has to run there.
    """
    made = yield
    if collector.config.pluginmanager.hasplugin("asyncio"):
        for item in made if isinstance(made, Sequence) else [made]:
            if isinstance(item, pytest.Function) and _is_ours_to_run(item):
                item.add_marker("asyncio")
    return made


def _is_ours_to_run(item: pytest.Function) -> bool:
    """Whether this is a coroutine test of the app that no other plugin runs."""
    return (
        inspect.iscoroutinefunction(item.obj)
        and "durable_app" in item.fixturenames
        and "anyio_backend" not in item.fixturenames
        and item.get_closest_marker("asyncio") is None
    )


@pytest.hookimpl(wrapper=True, tryfirst=True)
def pytest_runtest_call(item: pytest.Item) -> Generator[None, Any, Any]:
    """Fail a test whose hub noticed problems, and close the hub on the event loop of the test."""
    manual, blocking = _hubs_of(item)
    hubs = [*manual, *blocking]
    if not hubs or not isinstance(item, pytest.Function):
        return (yield)
    for marker in item.iter_markers("allow_problems"):
        for hub in hubs:
            hub.allow_problems(*marker.args)
    test = item.obj
    if inspect.iscoroutinefunction(test):
        item.obj = _disconnecting(test, manual)
    try:
        returned = yield
        for hub in hubs:
            if noticed := hub.unexpected_problems():
                pytest.fail(noticed, pytrace=False)
    except BaseException:
        _keep(item, hubs)
        raise
    finally:
        item.obj = test
    return returned


def _keep(item: pytest.Item, hubs: "Sequence[AppUnderTest]") -> None:
    """Write the hubs of a test that fails to files, if `--keep-hub` asks for it."""
    folder = item.config.getoption("--keep-hub")
    if not folder:
        return
    for number, hub in enumerate(hubs):
        name = re.sub(r"\W+", "-", item.nodeid).strip("-") + (f"-{number}" if number else "")
        file = item.config.rootpath / folder / f"{name}.db"
        hub.keep(file)
        words = f"The hub is in {file}. See it with: durablehost show {file}"
        item.add_report_section("call", "durablehost", words)


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
    """Run a coroutine test of the app that no other plugin runs."""
    if not inspect.iscoroutinefunction(pyfuncitem.obj):
        return None
    if "durable_app" not in pyfuncitem.fixturenames and not any(_hubs_of(pyfuncitem)):
        return None
    arguments = {name: pyfuncitem.funcargs[name] for name in pyfuncitem._fixtureinfo.argnames}
    with asyncio.Runner(loop_factory=asyncio.new_event_loop) as runner:
        runner.run(pyfuncitem.obj(**arguments))
    return True


def _hubs_of(item: pytest.Item) -> "tuple[list[ManualHub], list[SyncHub]]":
    """The hubs among the fixtures of a test, whatever the fixtures' names are."""
    testing = sys.modules.get("durablehost.testing")
    if testing is None:
        return [], []
    values = getattr(item, "funcargs", {}).values()
    return (
        [value for value in values if isinstance(value, testing.ManualHub)],
        [value for value in values if isinstance(value, testing.SyncHub)],
    )


def pytest_assertrepr_compare(op: str, left: object, right: object) -> list[str] | None:
    """Show why an instance has its status if an assertion about the status fails."""
    testing = sys.modules.get("durablehost.testing")
    if testing is None:
        return None
    for side in (left, right):
        if isinstance(side, testing.RuntimeStatus):
            return [f"{left!r} {op} {right!r}", "", *side.explain().splitlines()]
    return None
