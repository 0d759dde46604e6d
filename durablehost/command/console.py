"""Prints the functions of an app at start, and log lines and problems afterwards."""

import io
import logging
import os
import shutil
import sys
import textwrap
from collections.abc import Callable, Iterable, Mapping, Sequence
from functools import cache, partial
from typing import Final

from durablehost.app.functions import Function, FunctionTable, Kind, LeftOut
from durablehost.calling.running_function import running_function
from durablehost.hub.problems import Problem
from durablehost.settings import Settings
from durablehost.settings.log_levels import DURABLE_TASK, category_of, level_of
from durablehost.settings.percent_names import resolve
from durablehost.web.routes import methods_of, route_of

log = logging.getLogger("durablehost")

# Durable functions are listed by name only, several on one line.
_NAMED: Final[tuple[tuple[Kind, str], ...]] = (
    ("orchestration", "Orchestrators"),
    ("activity", "Activities"),
    ("entity", "Entities"),
)
# Other functions are listed one on each line, with this field of their trigger.
_TRIGGERED: Final[tuple[tuple[Kind, str, str], ...]] = (
    ("timer", "Timers", "schedule"),
    ("queue", "Queues", "queueName"),
    ("blob", "Blobs", "path"),
    ("other", "Other triggers", "type"),
)


class _Line(logging.Formatter):
    """Writes a record on one line: the time, a mark for warnings and errors, the message."""

    _MARKS: Final = {logging.WARNING: "warning: ", logging.ERROR: "error: "}

    def __init__(self) -> None:
        super().__init__("%(asctime)s.%(msecs)03d %(mark)s%(message)s", "%H:%M:%S")

    def format(self, record: logging.LogRecord) -> str:
        record.mark = self._MARKS.get(record.levelno, "")
        return super().format(record)


def write_any_text() -> None:
    """Escape characters that the console cannot show, for example in file names."""
    for stream in (sys.stdout, sys.stderr):
        if isinstance(stream, io.TextIOWrapper):
            stream.reconfigure(errors="backslashreplace")


def set_up_logging() -> None:
    """Log to the console."""
    handler = logging.StreamHandler(sys.stderr)
    handler.setFormatter(_Line())
    root = logging.getLogger()
    root.handlers[:] = [handler]
    root.setLevel(logging.INFO)
    for quiet in ("azure", "asyncio"):
        logging.getLogger(quiet).setLevel(logging.WARNING)
    # aiohttp logs a traceback for every malformed request; the caller gets a 400.
    logging.getLogger("aiohttp.server").setLevel(logging.CRITICAL)


class _AppLevels(logging.Filter):
    """Filters the app's log lines by the levels in host.json, which may differ by function."""

    def __init__(self, levels: Mapping[str, str]) -> None:
        super().__init__()
        self._level_of = cache(lambda function: level_of(category_of(function), levels))

    def filter(self, record: logging.LogRecord) -> bool:
        if record.name.partition(".")[0] == log.name:
            return True
        return bool(record.levelno >= self._level_of(running_function()))


def set_levels(levels: Mapping[str, str], *, debug: bool) -> None:
    """Apply the levels of host.json (`logging.logLevel`).

    As in the Python worker, the app's debug messages are logged only with `debug`.
    """
    root = logging.getLogger()
    root.setLevel(logging.DEBUG if debug else logging.INFO)
    for handler in root.handlers:
        handler.addFilter(_AppLevels(levels))
    log.setLevel(level_of(DURABLE_TASK, levels))


def also_log_to(handler: logging.Handler) -> None:
    """Give each line of the log to another handler, too."""
    root = logging.getLogger()
    handler.filters = root.handlers[0].filters
    root.addHandler(handler)


def say(text: str = "") -> None:
    """Print a text. Whoever read the output may have gone, as `head` does; the work goes on."""
    try:
        print(text, flush=True)
    except BrokenPipeError:
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())


def complain(error: Exception) -> None:
    """Print why durablehost cannot start."""
    print(f"\n{error}\n", file=sys.stderr, flush=True)


def show_app(table: FunctionTable, origin: str, settings: Settings) -> None:
    """List the functions by kind, as `func start` does, and everything that does not work."""
    for title, lines in _sections(table, origin, settings):
        if lines:
            say(f"{title}:")
            for line in lines:
                say(f"  {line}")
            say()
    if not table.functions:
        say("The app has no functions.\n")


def _sections(
    table: FunctionTable, origin: str, settings: Settings
) -> Iterable[tuple[str, Sequence[str]]]:
    yield "Functions", _http(table, origin, settings.route_prefix)
    for kind, title in _NAMED:
        functions = table.of_kind(kind)
        yield f"{title} ({len(functions)})", _wrapped(sorted(map(_name, functions), key=str.lower))
    for kind, title, where in _TRIGGERED:
        yield title, _aligned(table.of_kind(kind), partial(_field, where))
    yield "Left out, as on Azure", [line for one in table.left_out for line in _complaint(one)]
    unserved = filter(None, map(_unserved, table.functions))
    other_hubs = _of_other_hubs(table, settings.hub_name)
    yield "Warnings", [*table.warnings, *unserved, *other_hubs, *_of_extensions(table, settings)]
    yield "Settings that have no effect here", settings.unused


def _field(name: str, function: Function) -> str:
    by = ", by events of Event Grid" if function.trigger.get("source") == "EventGrid" else ""
    return f"{function.trigger.get(name, '')}{by}"


def _complaint(left_out: LeftOut) -> tuple[str, str, str]:
    return f"{left_out.name} ({left_out.place})", f"  {left_out.says}", f"  {left_out.advice}"


def _http(table: FunctionTable, origin: str, prefix: str) -> Sequence[str]:
    functions = table.of_kind("http")
    methods = {f.name: f"[{','.join(methods_of(f)) or 'any'}]" for f in functions}
    width = max(map(len, methods.values()), default=0)
    return _aligned(
        functions, lambda f: f"{methods[f.name]:{width}} {origin}/{route_of(f, prefix)}"
    )


def _aligned(functions: Sequence[Function], where: Callable[[Function], str]) -> Sequence[str]:
    width = max((len(function.name) for function in functions), default=0) + 1
    by_name = sorted(functions, key=lambda function: function.name.lower())
    return [f"{f.name + ':':{width}} {where(f)}{_mark(f)}" for f in by_name]


def _wrapped(names: Iterable[str]) -> Sequence[str]:
    width = min(max(shutil.get_terminal_size((100, 24)).columns, 40), 100) - 4
    return textwrap.wrap(", ".join(names), width, break_long_words=False, break_on_hyphens=False)


def _name(function: Function) -> str:
    """Return the name by which callers know it, and the function's name if that is different."""
    own = "" if function.durable_name == function.name else f" ({function.name})"
    return f"{function.durable_name}{own}{_mark(function)}"


def _mark(function: Function) -> str:
    return " [disabled]" if function.is_disabled else ""


def _unserved(function: Function) -> str:
    kinds = ", ".join(str(binding["type"]) for binding in function.unserved_bindings)
    if not kinds:
        return ""
    return (
        f"{function.name} ({function.place}) has bindings that durablehost does not serve: {kinds}."
    )


def _of_other_hubs(table: FunctionTable, hub: str) -> Iterable[str]:
    for function in table.functions:
        for binding in function.client_bindings:
            name = resolve(str(binding.get("taskHub") or hub), os.environ)
            if name.lower() != hub.lower():
                yield (
                    f"{function.name} ({function.place}) has a client for the task hub {name}. "
                    f"durablehost has only the hub {hub}, and the client uses it."
                )


def _of_extensions(table: FunctionTable, settings: Settings) -> Iterable[str]:
    durable = any(function.durable_name or function.client_bindings for function in table.functions)
    if durable and not settings.has_extensions:
        yield (
            "host.json has no extensionBundle, and the app has no bin/extensions.json. On Azure "
            "the host then lacks the Durable Functions extension. Write into host.json: "
            '"extensionBundle": {"id": "Microsoft.Azure.Functions.ExtensionBundle", '
            '"version": "[4.*, 5.0.0)"}'
        )


def tell(instance_id: str, name: str, problem: Problem) -> None:
    """Log a problem of an instance."""
    log.warning("%s", _printable(f"{instance_id} ({name}) {problem.text}"))


def _printable(text: str) -> str:
    """Escape control characters: ids and names come from callers and could forge log lines."""
    if text.isprintable():
        return text
    return "".join(c if c.isprintable() else repr(c)[1:-1] for c in text)
