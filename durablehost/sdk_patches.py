"""Everything that durablehost changes in the SDK, and every private part of the SDK that it uses.

Nothing here is public in the SDK, so a new release may drop any of it. Each entry of `PATCHES`
therefore knows whether the installed SDK still has what it needs. A patch that does not fit is
left out, and `misfits` says what no longer works.
"""

import asyncio
import collections
import logging
import os
import sys
import threading
import warnings
from collections.abc import Callable, Generator, Sequence
from dataclasses import dataclass
from datetime import datetime
from functools import lru_cache, partial, wraps
from importlib import import_module
from importlib.metadata import version
from types import GeneratorType
from typing import Any, Final, cast

import aiohttp
import azure.functions as func
from azure.functions.decorators.function_app import FunctionRegister
from dateutil.parser import parse  # type: ignore[import-untyped]  # ships no types

log = logging.getLogger(__name__)

_EVENTS: Final = "azure.durable_functions.models.history.HistoryEvent"
_EXECUTOR: Final = "azure.durable_functions.models.TaskOrchestrationExecutor"
_HTTP: Final = "azure.durable_functions.models.utils.http_utils"
_ACTION: Final = "azure.durable_functions.models.actions.Action"
_CODEC: Final = "azure.functions._durable_functions"
_NOTICES: Final = ("_loose_codec_notice_emitted", "_no_expected_type_notice_emitted")
_DECORATORS: Final = "azure.functions.decorators.function_app"
_TABLE: Final = "_durablehost_function_table"


def _module(name: str) -> Any:
    """A module of the SDK; an object without attributes if the SDK does not have it."""
    try:
        return import_module(name)
    except ImportError:
        return object()


# Time stamps of the history


_STAMP: Final = "2026-01-01T00:00:00Z"
_ZONE: Final = parse(_STAMP).tzinfo  # dateutil's class for UTC depends on the machine's time zone


@lru_cache(maxsize=8192)  # every episode reads the stamps of the earlier ones again
def read_stamp(text: str) -> datetime:
    """Return what dateutil makes of a time stamp, including the class of its time zone.

    dateutil guesses the format, which takes most of the time of a replay. durablehost writes one
    format only, and the standard library reads that a hundred times as fast. dateutil still
    reads any other text.
    """
    if len(text) >= len(_STAMP) and text[10] == "T" and text[-1] == "Z":
        try:
            return datetime.fromisoformat(text).replace(tzinfo=_ZONE)
        except ValueError:
            pass  # dateutil knows more formats
    return cast(datetime, parse(text))


def _stamps_fit() -> bool:
    return getattr(_module(_EVENTS), "dt_parse", None) in (parse, read_stamp)


def _read_stamps_quickly() -> None:
    _module(_EVENTS).dt_parse = read_stamp


# The events of the history


_DEFAULTS: Final = dict.fromkeys(
    ("Name", "InstanceId", "TaskScheduledId", "Reason", "Details", "Input")
)
_EVENT: Final = {
    "EventType": 5,
    "EventId": -1,
    "IsPlayed": True,
    "Timestamp": _STAMP,
    "TaskScheduledId": 1,
    "Result": "null",
}


def _filling(events: Any) -> Callable[..., None]:
    """Make a constructor that sets what the SDK's own one does, at once and not one by one."""

    def fill(
        self: Any, EventType: Any, EventId: Any, IsPlayed: Any, Timestamp: Any, **others: Any
    ) -> None:
        self.__dict__ = {
            "_event_type": EventType,
            "_event_id": EventId,
            "_is_played": IsPlayed,
            "_timestamp": events.dt_parse(Timestamp),
            "_is_processed": False,
            **_DEFAULTS,
            **others,
        }

    return fill


def _events_fit() -> bool:
    events = _module(_EVENTS)
    if not (hasattr(events, "HistoryEvent") and hasattr(events, "dt_parse")):
        return False
    filled = object.__new__(events.HistoryEvent)
    _filling(events)(filled, **_EVENT)
    return bool(vars(events.HistoryEvent(**_EVENT)) == vars(filled))


def _fill_events_at_once() -> None:
    events = _module(_EVENTS)
    events.HistoryEvent.__init__ = _filling(events)


# The executor of orchestrators


_PAYLOAD: Final = ("SetTaskValuePayload", ("is_success", "task_id_key"))
_Payload: Final = collections.namedtuple(*_PAYLOAD)  # type: ignore[misc]  # mypy needs constants


def _namedtuple(*given: Any, **options: Any) -> Any:
    """Return the class that the SDK's executor would otherwise create in each episode."""
    if given == _PAYLOAD and not options:
        return _Payload
    return collections.namedtuple(*given, **options)


def _namedtuple_fits() -> bool:
    return getattr(_module(_EXECUTOR), "namedtuple", None) in (collections.namedtuple, _namedtuple)


def _share_namedtuple() -> None:
    _module(_EXECUTOR).namedtuple = _namedtuple


class _LogsWarnings:
    """Stands for the module `warnings` in the SDK's executor."""

    @staticmethod
    def warn(message: object) -> None:
        log.debug("%s", message)


def _warnings_fit() -> bool:
    return getattr(_module(_EXECUTOR), "warnings", None) in (warnings, _LogsWarnings)


def _log_warnings() -> None:
    """The SDK warns of each event that arrives before the orchestrator waits for it.

    Such an event is not a mistake.
    """
    _module(_EXECUTOR).warnings = _LogsWarnings


# The place in the orchestrator that makes a call


def _place() -> str:
    """The file and line that the orchestrator runs now, found next to the executor's frame."""
    frame, executors = sys._getframe(2), _executing()
    while frame.f_back is not None:
        if frame.f_back.f_code in executors:
            return f"{frame.f_code.co_filename}:{frame.f_lineno}"
        frame = frame.f_back
    return ""


@lru_cache(maxsize=1)
def _executing() -> frozenset[object]:
    """The code of the SDK that starts and continues an orchestrator."""
    executor = _module(_EXECUTOR).TaskOrchestrationExecutor
    execute = getattr(executor.execute, "__wrapped__", executor.execute)
    return frozenset(
        {execute.__code__, executor.resume_user_code.__code__, _watching.__code__, watched.__code__}
    )


def _new_action(cls: type[Any], *_: Any, **__: Any) -> Any:
    action = object.__new__(cls)
    action._durablehost_place = _place()
    return action


def _with_place(to_json: Callable[[Any], dict[str, Any]]) -> Callable[[Any], dict[str, Any]]:
    def to_json_with_place(action: Any) -> dict[str, Any]:
        written = to_json(action)
        written["place"] = action._durablehost_place
        return written

    return to_json_with_place


def _places_fit() -> bool:
    return hasattr(_module(_ACTION), "Action") and all(
        hasattr(getattr(_module(_EXECUTOR), "TaskOrchestrationExecutor", None), name)
        for name in ("execute", "resume_user_code")
    )


def _note_places() -> None:
    """Add to each action that the SDK returns the line of the orchestrator that made it."""
    action = _module(_ACTION).Action
    if action.__new__ is _new_action:
        return
    action.__new__ = _new_action
    kinds = [action]
    for kind in kinds:
        kinds += kind.__subclasses__()
        if "to_json" in vars(kind):
            kind.to_json = _with_place(kind.to_json)


# The steps of a replay


Note = Callable[[Generator[Any, Any, Any], int | None], None]


def watched(orchestrator: Callable[[Any], Any], context: Any, note: Note) -> Any:
    """Call an orchestrator that reports its generator at each yield, and at its end.

    `note` also gets the position in the history of the event that let the orchestrator go on.
    """
    made = orchestrator(context)
    return _watching(made, note) if isinstance(made, GeneratorType) else made


def _watching(generator: Generator[Any, Any, Any], note: Note) -> Generator[Any, Any, Any]:
    go_on: Callable[[], Any] = partial(next, generator)
    while True:
        position = _position()
        try:
            task = go_on()
        except StopIteration as end:
            note(generator, position)
            return end.value
        except BaseException:
            note(generator, position)
            raise
        note(generator, position)
        try:
            value = yield task
        except Exception as error:  # a task that failed
            go_on = partial(generator.throw, error)
        else:
            go_on = partial(generator.send, value)


def _position() -> int | None:
    """The position in the history that the SDK's executor is at."""
    executor = _module(_EXECUTOR).TaskOrchestrationExecutor
    execute = getattr(executor.execute, "__wrapped__", executor.execute)
    frame = sys._getframe(1)
    while frame.f_back is not None:
        frame = frame.f_back
        if frame.f_code is execute.__code__:
            return cast("int | None", frame.f_locals.get("index"))
    return None


# Executors that are kept


_executed: Final = threading.local()


def _executors_fit() -> bool:
    executor = getattr(_module(_EXECUTOR), "TaskOrchestrationExecutor", None)
    return all(
        hasattr(executor, name) for name in ("execute", "process_event", "has_execution_completed")
    ) and hasattr(_module(_EVENTS), "HistoryEvent")


def _remember_executors() -> None:
    executor = _module(_EXECUTOR).TaskOrchestrationExecutor
    execute = executor.execute
    if hasattr(execute, "__wrapped__"):
        return

    @wraps(execute)
    def remembered(self: Any, *given: Any) -> Any:
        _executed.executor = self
        return execute(self, *given)

    executor.execute = remembered


def last_executor() -> Any:
    """Return the executor of the last replay in this thread, once; None if there was none."""
    executor, _executed.executor = getattr(_executed, "executor", None), None
    return executor


def history_event(event: dict[str, Any]) -> Any:
    """Return a history event as the SDK has it."""
    return _module(_EVENTS).HistoryEvent(**event)


# The JSON codec of azure-functions


def _notices_fit() -> bool:
    codec = _module(_CODEC)
    if not hasattr(codec, "df_loads"):
        return True  # releases before 1.26 have no notices
    return all(hasattr(codec, name) for name in _NOTICES)


def _silence_notices() -> None:
    """The codec warns once that its caller should pass a type.

    The caller is the host, so the author of an app can do nothing about it.
    """
    codec = _module(_CODEC)
    for name in _NOTICES:
        if hasattr(codec, name):
            setattr(codec, name, True)


def _strict_typing_fits() -> bool:
    codec = _module(_CODEC)
    if not hasattr(codec, "df_loads"):
        return True  # releases before 1.26 have no strict typing
    names = ("_is_strict_mode", "_STRICT_ENV_VAR")
    return isinstance(vars(os.environ).get("_data"), dict) and all(
        hasattr(codec, name) for name in names
    )


def _look_up_strict_typing_quickly() -> None:
    """The codec looks up an environment variable for each value, by a slow way if it is not set."""
    codec = _module(_CODEC)
    if not hasattr(codec, "df_loads") or hasattr(codec._is_strict_mode, "__wrapped__"):
        return
    is_strict_mode = codec._is_strict_mode
    variables: dict[object, object] = vars(os.environ)["_data"]
    key = vars(os.environ)["encodekey"](codec._STRICT_ENV_VAR)

    @wraps(is_strict_mode)
    def looked_up() -> bool:
        return key in variables and bool(is_strict_mode())

    codec._is_strict_mode = looked_up


# The HTTP session of the durable clients


def _session_fits() -> bool:
    http = _module(_HTTP)
    names = ("_client_session", "_close_session", "_session_lock")
    return all(hasattr(http, name) for name in names)


def lend_client_session(session: aiohttp.ClientSession) -> None:
    """Let all durable clients use this session: the SDK keeps one for all of them."""
    if _session_fits():
        _module(_HTTP)._client_session = session


async def close_client_session() -> None:
    """Close the session that the durable clients share, if it belongs to the running loop.

    The SDK never closes it.
    """
    http = _module(_HTTP)
    if not _session_fits():
        return
    session = http._client_session
    if session is not None and session._loop is not asyncio.get_running_loop():
        return
    await http._close_session()
    await asyncio.sleep(0)  # its transports close in the next iteration of the loop
    # A lock that was waited for stays bound to this loop and would fail in the next one.
    http._session_lock = asyncio.Lock()


def forget_client_session() -> None:
    """Let the durable clients open another session, because their loop is blocked."""
    if _session_fits():
        http = _module(_HTTP)
        http._client_session, http._session_lock = None, asyncio.Lock()


# What the decorators declared


def builders_of(app: FunctionRegister) -> Sequence[Any] | None:
    """Return the builder of each function of an app; None if the SDK does not show them."""
    builders: Sequence[Any] | None = getattr(app, "_function_builders", None)
    if builders is None or not all(hasattr(builder, "_function") for builder in builders):
        return None
    return builders


def function_of(builder: object) -> Any:
    """Return the function of a builder, which is what a decorator returns; None for others."""
    return getattr(builder, "_function", None)


def _builders_fit() -> bool:
    app: Any = func.FunctionApp()
    new_builder = getattr(_module(_DECORATORS), "FunctionBuilder", None)
    return (
        builders_of(app) is not None
        and new_builder is not None
        and hasattr(new_builder(_builders_fit, ""), "_function")
    )


def remember_table(app: FunctionRegister, table: object) -> None:
    """Keep a function table with its app, because the SDK lists the functions of an app once."""
    setattr(app, _TABLE, table)


def remembered_table(app: FunctionRegister) -> object:
    """Return the function table that was kept with an app, or None."""
    return vars(app).get(_TABLE)


@dataclass(frozen=True)
class Patch:
    """One thing that durablehost changes in the SDK, or a private part of the SDK that it uses."""

    name: str
    without_it: str  # what a user notices if it does not fit
    fits: Callable[[], bool]
    apply: Callable[[], None] | None = None  # None if durablehost only reads


PATCHES: Final = (
    Patch("time stamps", "replays are slow", _stamps_fit, _read_stamps_quickly),
    Patch("events", "replays are slower", _events_fit, _fill_events_at_once),
    Patch("named tuple", "episodes are slower", _namedtuple_fits, _share_namedtuple),
    Patch(
        "early events",
        "an orchestration may fail if warnings are errors",
        _warnings_fit,
        _log_warnings,
    ),
    Patch(
        "codec notices",
        "an activity may fail if warnings are errors",
        _notices_fit,
        _silence_notices,
    ),
    Patch(
        "strict typing",
        "each value costs a microsecond more",
        _strict_typing_fits,
        _look_up_strict_typing_quickly,
    ),
    Patch("places of calls", "problems name no line", _places_fit, _note_places),
    Patch("executors", "long histories are slow", _executors_fit, _remember_executors),
    Patch("client session", "durable clients do not reach a hub under test", _session_fits),
    Patch("declared functions", "errors in declarations are not located", _builders_fit),
)


def apply() -> None:
    """Apply the patches that fit the installed SDK; applying them again changes nothing."""
    for patch in PATCHES:
        if patch.apply is not None and patch.fits():
            patch.apply()


def misfits() -> str:
    """One line that names the patches that do not fit the installed SDK; empty if all fit."""
    unfit = [f"{patch.name} ({patch.without_it})" for patch in PATCHES if not patch.fits()]
    if not unfit:
        return ""
    packages = ("azure-functions", "azure-functions-durable")
    installed = " and ".join(f"{package} {version(package)}" for package in packages)
    return f"These patches of durablehost do not fit {installed}: {', '.join(unfit)}."
