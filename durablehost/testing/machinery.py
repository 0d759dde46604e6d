"""Creates and connects the parts of a test hub."""

import warnings
from collections.abc import Awaitable, Callable
from dataclasses import dataclass, replace
from datetime import datetime
from pathlib import Path

from durablehost import sdk_patches
from durablehost.app.functions import Function, FunctionTable
from durablehost.app.loading import table_of
from durablehost.calling.invoker import Invoker
from durablehost.episodes.scheduled import HTTP_ACTIVITY
from durablehost.hub.backend import ActivityWork
from durablehost.hub.client import HubClient
from durablehost.hub.clock import ManualClock
from durablehost.settings import Settings, settings_for_tests
from durablehost.testing.calls import CallLog
from durablehost.testing.explaining import Explainer
from durablehost.testing.http_stubs import HttpStubs
from durablehost.testing.in_process import Front
from durablehost.testing.manual_work import ManualWork
from durablehost.testing.memory_storage import MemoryStorage
from durablehost.testing.shuffling import Shuffle
from durablehost.testing.stubs import Stubs
from durablehost.testing.timer_functions import TimerFunctions
from durablehost.testing.watched_store import WatchedBackend
from durablehost.web.auth import Keys


@dataclass(frozen=True)
class Machinery:
    """The parts of one hub, which the async and the blocking form share."""

    table: FunctionTable
    settings: Settings
    clock: ManualClock
    log: CallLog
    invoker: Invoker
    storage: MemoryStorage
    backend: WatchedBackend
    client: HubClient
    front: Front
    stubs: Stubs
    http: HttpStubs
    explainer: Explainer
    timers: TimerFunctions
    fire: Callable[[Function, object], Awaitable[None]]
    shuffle: Shuffle
    work: ManualWork

    async def disconnect(self) -> None:
        """Close what is open on the running event loop; the next call opens it on its own."""
        await self.front.close()
        await self.http.close()
        await self.invoker.disconnect()

    def shut(self) -> None:
        """Close the store and end the threads, once `disconnect` has been awaited."""
        self.explainer.close()
        self.backend.close()
        self.invoker.end_threads()


async def _no_pause(seconds: float) -> None:
    """Replace the pause between the retries of a function: tests do not wait."""


def build(
    app: object,
    start: datetime | None,
    settings: Settings | None,
    data: Path | str,
    function_key: str | None,
    seed: int | None,
) -> Machinery:
    """Make a hub for an app: its folder, what `load_app` returned, or the app object."""
    if misfits := sdk_patches.misfits():
        warnings.warn(misfits, stacklevel=4)
    table = table_of(app)
    settings = settings or settings_for_tests(table.folder)
    table = table.only(settings.functions).with_disabled(settings.disabled)
    clock = ManualClock(start)
    log = CallLog(clock)
    storage = MemoryStorage()
    invoker = Invoker(own_loop=False, storage=storage, pause=_no_pause)
    shuffle = Shuffle(seed)
    backend = WatchedBackend(data, table, log, shuffle)
    client = HubClient(
        backend,
        clock,
        table,
        lambda _: None,
        default_version=settings.default_version,
        may_replace_running=settings.may_replace_running,
    )

    async def saved() -> None:
        backend.flush()

    keys = Keys(function=function_key, enforced=True) if function_key else Keys()
    front = Front(table, settings, client, saved, invoker, keys)

    def called(name: str) -> Function:
        function = table.activity(name)
        assert function is not None, f"no episode schedules the unknown activity {name}"
        return function

    async def run_activity(activity: ActivityWork) -> str:
        function = called(activity.name)
        payload = await front.lend_client() if function.client_bindings else ""
        return await invoker.activity(function, activity.input, activity.instance_id, payload)

    stubs = Stubs(invoker, log, run_activity)
    http = HttpStubs(log, front.send)

    async def run(activity: ActivityWork) -> str:
        if activity.name == HTTP_ACTIVITY:
            return await http.run(activity)
        return await stubs.run(replace(activity, name=called(activity.name).durable_name))

    async def fire(function: Function, value: object) -> None:
        await invoker.trigger(function, value, await front.lend_client())

    timers = TimerFunctions(table, settings, clock.now())
    explainer = Explainer(backend, table, clock, stubs.look, stubs.raised, log.calls)
    work = ManualWork(
        backend,
        client,
        table,
        stubs,
        clock,
        settings,
        run_activity=run,
        explainer=explainer,
        timers=timers,
        fire=fire,
        shuffle=shuffle,
    )
    return Machinery(
        table=table,
        settings=settings,
        clock=clock,
        log=log,
        invoker=invoker,
        storage=storage,
        backend=backend,
        client=client,
        front=front,
        stubs=stubs,
        http=http,
        explainer=explainer,
        timers=timers,
        fire=fire,
        shuffle=shuffle,
        work=work,
    )
