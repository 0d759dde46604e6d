"""What devhost prints: what an app has, where it is, and what goes wrong in it."""

import logging
import sys
from collections.abc import Iterable, Mapping
from typing import Final

from devhost.diagnosis import Finding
from devhost.functions import Function, FunctionTable
from devhost.web.routes import methods_of, route_of

log = logging.getLogger("devhost")

_LEVELS: Final = {
    "trace": logging.DEBUG,
    "debug": logging.DEBUG,
    "information": logging.INFO,
    "warning": logging.WARNING,
    "error": logging.ERROR,
    "critical": logging.CRITICAL,
    "none": logging.CRITICAL + 1,
}
# The packages of devhost that the real host logs under these names.
_CATEGORIES: Final = {"default": "", "Host.Triggers.DurableTask": "devhost"}
_TRIGGERS: Final = {
    "orchestration": "orchestrationTrigger",
    "activity": "activityTrigger",
    "entity": "entityTrigger",
}


class _Line(logging.Formatter):
    """One line a record: the time, a mark where it matters, the words."""

    _MARKS: Final = {logging.WARNING: "warning: ", logging.ERROR: "error: "}

    def __init__(self) -> None:
        super().__init__("%(asctime)s.%(msecs)03d %(mark)s%(message)s", "%H:%M:%S")

    def format(self, record: logging.LogRecord) -> str:
        record.mark = self._MARKS.get(record.levelno, "")
        return super().format(record)


def set_up_logging(levels: Mapping[str, str]) -> None:
    """Log to the console, at the levels of host.json (`logging.logLevel`)."""
    handler = logging.StreamHandler(sys.stderr)
    handler.setFormatter(_Line())
    root = logging.getLogger()
    root.handlers[:] = [handler]
    root.setLevel(logging.INFO)
    for quiet in ("azure", "asyncio"):
        logging.getLogger(quiet).setLevel(logging.WARNING)
    # It logs a traceback for every malformed request; the caller gets a 400.
    logging.getLogger("aiohttp.server").setLevel(logging.CRITICAL)
    for category, level in levels.items():
        name = _CATEGORIES.get(category, category.removeprefix("Function."))
        logging.getLogger(name).setLevel(_LEVELS.get(level.lower(), logging.INFO))


def say(text: str = "") -> None:
    print(text, flush=True)


def show_app(table: FunctionTable, origin: str, prefix: str) -> None:
    """List the functions as `func start` does, and what was left out."""
    say("Functions:")
    for function in sorted(table.functions, key=_by_kind):
        say(f"  {_shown(function, origin, prefix)}")
    for remark in [*table.remarks, *map(_unserved, table.functions)]:
        if remark:
            say(f"Note: {remark}")
    for left_out in table.left_out:
        say()
        say(f"Left out: {left_out.name} ({left_out.place})")
        say(f"  {left_out.says}")
        say(f"  {left_out.advice}")


def _unserved(function: Function) -> str:
    kinds = ", ".join(str(binding["type"]) for binding in function.unserved_bindings)
    if not kinds:
        return ""
    return f"{function.name} ({function.place}) has bindings that devhost does not serve: {kinds}."


def _by_kind(function: Function) -> tuple[bool, str, str]:
    return function.kind != "http", function.kind, function.name


def _shown(function: Function, origin: str, prefix: str) -> str:
    if function.kind == "http":
        methods = ",".join(methods_of(function)) or "any"
        return f"{function.name}: [{methods}] {origin}/{route_of(function, prefix)}"
    kind = _TRIGGERS.get(function.kind, str(function.trigger["type"]))
    alias = f" '{function.durable_name}'" if function.durable_name != function.name else ""
    return f"{function.name}: {kind}{alias if function.durable_name else ''}"


def show_unused(settings: Iterable[str]) -> None:
    names = ", ".join(settings)
    if names:
        say(f"Without effect here: {names}")


def tell(instance_id: str, name: str, finding: Finding) -> None:
    """Say what was noticed about an instance."""
    log.warning("%s (%s) %s", instance_id, name, finding.text)
