"""Puts a durablehost together, starts it, and stops it."""

import asyncio
import contextlib
import errno
import gc
import logging
import os
import socket
import sys
import time
from collections.abc import Mapping, MutableMapping
from contextlib import AsyncExitStack
from dataclasses import dataclass, replace
from datetime import timedelta
from functools import partial
from pathlib import Path
from typing import Any, Final

from aiohttp import web

from durablehost import BEGAN, sdk_patches
from durablehost.app.functions import FunctionTable
from durablehost.app.loading import load_app, script_name
from durablehost.calling.http_activity import HttpCaller
from durablehost.calling.invoker import Invoker
from durablehost.calling.storage_bindings import storage_bindings
from durablehost.calling.storage_on_demand import StorageOnDemand
from durablehost.command import console
from durablehost.command.standstill import watch_for_standstill
from durablehost.command.telemetry import load_tracing
from durablehost.dashboard.hub_source import CLOCK_AHEAD, HubSource
from durablehost.dashboard.serving import Dashboard
from durablehost.engine.activities import ActivityRunner
from durablehost.engine.loop import Engine
from durablehost.errors import AddressUnusable, CannotStart, HubUnusable
from durablehost.hub.client import HubClient
from durablehost.hub.clock import MovableClock, SystemClock
from durablehost.hub.history import stamp
from durablehost.settings import Settings, load_settings
from durablehost.settings.local_settings import origins_in
from durablehost.settings.log_levels import DURABLE_TASK
from durablehost.store import SqliteBackend
from durablehost.triggers import TriggerOptions, Triggers
from durablehost.web.admin import EXTENSION_VERSION, Admin
from durablehost.web.app import RPC, public_app, rpc_app
from durablehost.web.auth import load_keys
from durablehost.web.blob_events import BlobEvents
from durablehost.web.foreign_requests import ForeignRequests, is_loopback
from durablehost.web.http_functions import HttpFunctions
from durablehost.web.management import Management
from durablehost.web.serving import serve
from durablehost.web.urls import client_payload

log = logging.getLogger("durablehost")

_LOOPBACK: Final = "127.0.0.1"
_DEFAULT_PORT: Final = 7071  # that of `func start`


@dataclass(frozen=True)
class Options:
    """The options of the command line."""

    folder: Path
    host: str
    port: int | None
    data: str
    keys: Path | None
    functions: tuple[str, ...] = ()  # instead of those of host.json
    cors: str | None = None  # instead of Host.CORS
    cors_credentials: bool = False
    verbose: bool = False
    movable_clock: bool = False


def settings_of(options: Options, environ: MutableMapping[str, str]) -> Settings:
    """Return the app's settings. Options of the command line override them."""
    settings = load_settings(options.folder, environ)
    if options.functions:
        settings = replace(settings, functions=options.functions)
    if options.cors is not None:
        origins = origins_in(options.cors)
        if "*" in origins and options.cors_credentials:
            raise CannotStart(
                'Browsers refuse --cors "*" together with --cors-credentials. Name the origins.'
            )
        settings = replace(settings, cors=origins, cors_credentials=options.cors_credentials)
    if options.verbose:
        levels = {**settings.log_levels, DURABLE_TASK: "Debug"}
        settings = replace(settings, log_levels=levels)
    return settings


def port_of(options: Options, settings: Settings) -> int:
    """Return the port of the command line, or that of local.settings.json, or 7071."""
    if options.port is not None:
        return options.port
    return settings.port or _DEFAULT_PORT


class Host:
    """One app, served from `start` to `stop`."""

    def __init__(self, options: Options) -> None:
        """Read settings and keys, and load the app. Raises CannotStart."""
        # Threads switch five times as often, so that a long replay delays requests less.
        sys.setswitchinterval(0.001)
        self._options = options
        console.set_up_logging()
        self._settings = settings_of(options, os.environ)
        console.set_levels(self._settings.log_levels, debug=self._settings.debug_logging)
        self._keys = load_keys(options.keys)
        self._ends = AsyncExitStack()
        with contextlib.ExitStack() as so_far:
            self._public = so_far.enter_context(
                listen(options.host, port_of(options, self._settings))
            )
            self.port = int(self._public.getsockname()[1])
            self._at = _authority(options.host, self.port)
            # As under `func start`, an app can read this while it is imported.
            os.environ.setdefault("WEBSITE_HOSTNAME", self._at)
            self._tracing = load_tracing(os.environ, options.folder.name)
            table = load_app(options.folder, script_name(os.environ))
            for name in table.without_function(self._settings.functions):
                log.warning(
                    "The app has no function %s, which is in the list of functions to load.", name
                )
            table = table.only(self._settings.functions)
            self._table: FunctionTable = table.with_disabled(self._settings.disabled)
            if self._tracing is not None:
                so_far.callback(self._tracing.close)
                self._tracing.serve_app()
                console.also_log_to(self._tracing.log_handler)
            self._ends.enter_context(so_far.pop_all())
        self.ended = asyncio.Event()  # set if the work loop has failed

    async def start(self) -> None:
        """Serve the app and start the work loop. Raises CannotStart."""
        try:
            await self._start()
        except BaseException:
            await self.stop()
            raise
        gc.freeze()  # each full collection would look through all that has been loaded

    async def stop(self) -> None:
        """Stop all parts in reverse order. Unfinished work continues after the next start."""
        await self._ends.aclose()

    async def _start(self) -> None:
        settings = self._settings
        rpc = self._ends.enter_context(listen(_LOOPBACK, 0))
        origin = f"http://{self._at}"
        payload = partial(self._payload, f"http://{_LOOPBACK}:{rpc.getsockname()[1]}{RPC}/")
        traced = self._tracing
        backend = (traced.backend if traced else SqliteBackend)(self._options.data)
        self._ends.callback(backend.close)
        options = TriggerOptions.from_host_json(settings.raw)
        storage = StorageOnDemand(os.environ, encode_messages=options.queues.base64)
        self._ends.push_async_callback(storage.close)
        invoker = (traced.invoker(settings.route_prefix) if traced else Invoker)(
            own_loop=True, storage=storage, limit=settings.function_timeout
        )
        clock, http = self._clock(backend), HttpCaller()
        self._ends.push_async_callback(http.close)
        self._ends.push_async_callback(invoker.close)
        own_payload = payload(origin, {})
        runner = (traced.runner if traced else ActivityRunner)(
            self._table, invoker, clock, http, own_payload
        )
        around = traced.code if traced else None
        engine = Engine(
            backend, self._table, invoker, clock, settings, runner, console.tell, around
        )
        self._run(engine)
        client = HubClient(
            backend,
            clock,
            self._table,
            engine.wake,
            default_version=settings.default_version,
            may_replace_running=settings.may_replace_running,
        )
        management = (traced.management if traced else Management)(
            client, engine.saved, settings.hub_name, settings.connection_name, self._keys.durable
        )
        triggers = Triggers(
            self._table,
            lambda function, value: invoker.trigger(function, value, own_payload),
            clock,
            os.environ,
            _Kept(backend),
            options=options,
        )
        admin = Admin(
            self._table,
            settings,
            self._keys,
            triggers.run_now,
            partial(_problems, backend),
            self._dashboard(backend, invoker, clock, engine),
        )
        functions = HttpFunctions(self._table, settings, invoker, payload, self._keys)
        self._ends.push_async_callback(admin.close)
        await self._serve(rpc, rpc_app(settings, management))
        blob_events = BlobEvents(triggers.blobs_created)
        front = public_app(
            settings, self._keys, management, functions, admin, blob_events, self._foreign()
        )
        await self._serve(self._public, front)
        triggers.start()
        self._ends.push_async_callback(triggers.stop)
        watching = asyncio.create_task(watch_for_standstill())
        self._ends.callback(watching.cancel)
        self._check(storage)
        self._show(origin)

    def _clock(self, backend: SqliteBackend) -> SystemClock:
        if not self._options.movable_clock:
            return SystemClock()
        return MovableClock(timedelta(seconds=float(backend.get_value(CLOCK_AHEAD) or 0)))

    def _dashboard(
        self, backend: SqliteBackend, invoker: Invoker, clock: SystemClock, engine: Engine
    ) -> Dashboard:
        settings = self._settings
        source = HubSource(
            backend,
            self._table,
            invoker.orchestrate,
            clock,
            {"hub": settings.hub_name, "readOnly": False},
            route_prefix=settings.route_prefix,
            long_calls=engine.long_calls,
            wake=engine.wake,
        )
        self._ends.callback(source.close)
        return Dashboard(source, self._keys)

    def _foreign(self) -> ForeignRequests:
        """Refuse foreign names in `Host` if durablehost listens on the loopback interface only.

        Such a name then comes from a page that has bound it to 127.0.0.1.
        """
        if not is_loopback(self._options.host):
            return ForeignRequests(self._settings, names=None)
        own = os.environ["WEBSITE_HOSTNAME"].rpartition(":")[0] or os.environ["WEBSITE_HOSTNAME"]
        return ForeignRequests(self._settings, names=[own])

    def _check(self, storage: StorageOnDemand) -> None:
        """Report bindings whose storage cannot be used, without delaying the start."""
        bindings = [
            binding
            for function in self._table.functions
            for direction in ("IN", "OUT")
            for binding in storage_bindings(function, direction)
        ]
        checking = asyncio.create_task(storage.check(bindings))
        self._ends.callback(checking.cancel)

    def _payload(self, rpc: str, origin: str, binding: Mapping[str, Any]) -> str:
        settings = self._settings
        return client_payload(
            origin, rpc, settings.hub_name, settings.connection_name, self._keys.durable, binding
        )

    def _run(self, engine: Engine) -> None:
        running = asyncio.create_task(engine.run())
        running.add_done_callback(self._engine_ended)
        self._ends.push_async_callback(engine.stop)

    def _engine_ended(self, running: asyncio.Task[None]) -> None:
        if running.cancelled() or (error := running.exception()) is None:
            return
        if isinstance(error, HubUnusable):
            log.error("%s", error)
        else:
            log.error("durablehost's work loop has failed; please report this", exc_info=error)
        self.ended.set()

    async def _serve(self, listening: socket.socket, app: web.Application) -> None:
        runner = await serve(listening, app)
        self._ends.push_async_callback(runner.cleanup)

    def _show(self, origin: str) -> None:
        console.show_app(self._table, origin, self._settings)
        if misfits := sdk_patches.misfits():
            console.say(misfits)
        console.say(f"Emulates: Durable Functions extension {EXTENSION_VERSION}")
        console.say(f"Hub: {self._options.data}")
        if self._options.keys is not None:
            console.say(f"Keys: required, as in {self._options.keys}")
        elif not is_loopback(self._options.host):
            log.warning(
                "Anybody who reaches %s can call, start and terminate everything without a key."
                " Use --auth KEYS.json to require keys.",
                origin,
            )
        seconds = time.perf_counter() - BEGAN
        console.say(f"Ready at {origin} in {seconds:.2f} s. Ctrl-C stops it.")


class _Kept:
    """Keeps the state of triggers in the hub file."""

    def __init__(self, backend: SqliteBackend) -> None:
        self._backend = backend

    def get(self, key: str) -> str | None:
        return self._backend.get_value(key)

    def put(self, key: str, value: str) -> None:
        self._backend.put_value(key, value)
        self._backend.flush()


def listen(host: str, port: int) -> socket.socket:
    """Listen on an address. Raises AddressUnusable."""
    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    try:
        return socket.create_server((host, port), family=family, backlog=1024)
    except (OSError, UnicodeError) as error:
        number = getattr(error, "errno", None) or 0
        why = os.strerror(number) if number > 0 else getattr(error, "strerror", None) or str(error)
        if number == errno.EADDRINUSE:
            advised = (
                "Stop that program, or choose another port with --port (0 chooses a free port)"
            )
        elif number in (errno.EACCES, errno.EPERM):
            advised = "Choose a port from 1024 up with --port"
        else:
            advised = "Choose an address of this machine with --host, such as 127.0.0.1 or 0.0.0.0"
        raise AddressUnusable(f"Port {port} on {host} cannot be used: {why}. {advised}.") from None


def _authority(host: str, port: int) -> str:
    """Return host and port as a part of a URL."""
    if host in (_LOOPBACK, "0.0.0.0"):
        host = "localhost"
    return f"[{host}]:{port}" if ":" in host else f"{host}:{port}"


def _problems(backend: SqliteBackend, instance_id: str | None) -> list[dict[str, Any]]:
    return [
        {
            "instanceId": problem.instance_id,
            "kind": problem.kind,
            "subject": problem.subject,
            "text": problem.text,
            "at": stamp(problem.at),
        }
        for problem in backend.problems(instance_id)
    ]
