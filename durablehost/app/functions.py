"""The functions of an app: what durablehost found in it, and what it left out.

`loading.py` fills these from a folder or an app object.
"""

from collections.abc import Callable, Collection, Mapping
from dataclasses import dataclass, field, replace
from datetime import timedelta
from pathlib import Path
from typing import Any, Literal, Protocol

Kind = Literal["http", "orchestration", "activity", "entity", "timer", "queue", "blob", "other"]


@dataclass(frozen=True)
class Place:
    """A line of the app's source."""

    file: str
    line: int

    def __str__(self) -> str:
        return f"{self.file}:{self.line}"


@dataclass(frozen=True)
class RetryPolicy:
    """The policy of `@app.retry`: how often and after which pauses a failed call is repeated."""

    most: int  # calls after the first one; -1 for no limit
    pause: timedelta
    longest_pause: timedelta  # of an exponential backoff; equal to `pause` for a fixed delay

    def pause_before(self, retry: int) -> timedelta:
        """The pause before the nth retry, counted from 1."""
        if self.pause >= self.longest_pause:
            return self.pause
        factor: int = 2 ** min(retry - 1, 40)  # any longest pause is shorter
        return min(self.pause * factor, self.longest_pause)


@dataclass(frozen=True)
class Function:
    """A function of the app, as the host indexes it."""

    name: str
    kind: Kind
    trigger: Mapping[str, Any]  # the trigger's binding, as in function.json
    bindings: tuple[Mapping[str, Any], ...]  # including the trigger
    handler: Callable[..., Any]
    is_async: bool
    place: Place
    # The name that orchestrators and clients use; only for durable functions.
    durable_name: str = ""
    user_function: Callable[..., Any] | None = None  # what the app's author wrote
    takes_context: bool = False  # has a parameter `context` that is a `func.Context`
    retry: RetryPolicy | None = None
    is_disabled: bool = False  # by the setting `AzureWebJobs.NAME.Disabled`

    @property
    def unserved_bindings(self) -> tuple[Mapping[str, Any], ...]:
        """Bindings that durablehost does not serve: it reads no input and delivers no output."""
        served = ("durableClient", "http", self.trigger["type"])
        stored = self.storage_bindings
        return tuple(b for b in self.bindings if b["type"] not in served and b not in stored)

    @property
    def storage_bindings(self) -> tuple[Mapping[str, Any], ...]:
        """Queue outputs, blob outputs and blob inputs."""
        stored = (("queue", "OUT"), ("blob", "OUT"), ("blob", "IN"))
        return tuple(b for b in self.bindings if (b["type"], b["direction"]) in stored)

    @property
    def client_bindings(self) -> tuple[Mapping[str, Any], ...]:
        return tuple(b for b in self.bindings if b["type"] == "durableClient")


@dataclass(frozen=True)
class LeftOut:
    """A function that the real host leaves out while it loads the others."""

    name: str
    says: str  # the host's own words
    advice: str  # what to write instead
    place: Place
    kind: Kind = "other"
    durable_name: str = ""
    listed: bool = False  # the host lists it as a function nevertheless


class Known(Protocol):
    """The durable functions of an app by name. Names ignore case."""

    def orchestrator(self, name: str) -> Function | None: ...
    def activity(self, name: str) -> Function | None: ...
    def entity(self, name: str) -> Function | None: ...
    def durable_names(self, kind: Kind) -> list[str]: ...
    def why_left_out(self, kind: Kind, durable_name: str) -> str: ...


@dataclass(frozen=True)
class FunctionTable:
    """The functions of an app. Durable names ignore case."""

    functions: tuple[Function, ...]
    left_out: tuple[LeftOut, ...] = ()
    warnings: tuple[str, ...] = ()  # about functions that load but fail at every call
    folder: Path | None = None  # the app's folder, if it was loaded from one
    _durable: dict[tuple[Kind, str], Function] = field(default_factory=dict, init=False, repr=False)

    def __post_init__(self) -> None:
        for function in self.functions:
            if function.durable_name:
                self._durable[function.kind, function.durable_name.lower()] = function

    def without_function(self, names: Collection[str]) -> list[str]:
        """Those of the names that no function has."""
        known = {function.name.lower() for function in self.functions}
        return [name for name in names if name.lower() not in known]

    def only(self, names: Collection[str]) -> "FunctionTable":
        """A table with the functions of these names only; without names, all functions."""
        wanted = {name.lower() for name in names}
        if not wanted:
            return self
        functions = tuple(f for f in self.functions if f.name.lower() in wanted)
        return replace(self, functions=functions)

    def with_disabled(self, names: Collection[str]) -> "FunctionTable":
        """A table in which the functions with these lower-case names are disabled."""
        functions = tuple(
            replace(function, is_disabled=True) if function.name.lower() in names else function
            for function in self.functions
        )
        return replace(self, functions=functions)

    def of_kind(self, kind: Kind) -> list[Function]:
        return [function for function in self.functions if function.kind == kind]

    def orchestrator(self, name: str) -> Function | None:
        return self._durable.get(("orchestration", name.lower()))

    def activity(self, name: str) -> Function | None:
        return self._durable.get(("activity", name.lower()))

    def entity(self, name: str) -> Function | None:
        return self._durable.get(("entity", name.lower()))

    def missing(self, kind: Kind, durable_name: str) -> LeftOut | None:
        """The left-out function that callers of this durable name wait for, if there is one."""
        for left_out in self.left_out:
            if (left_out.kind, left_out.durable_name.lower()) == (kind, durable_name.lower()):
                return left_out
        return None

    def why_left_out(self, kind: Kind, durable_name: str) -> str:
        """Why callers of this durable name wait, and what to do; empty if they do not wait."""
        left_out = self.missing(kind, durable_name)
        return f"{left_out.says} {left_out.advice} ({left_out.place})" if left_out else ""

    @property
    def listed(self) -> list[str]:
        """The names that the real host lists, sorted: all that work, and some that do not."""
        listed = [left_out.name for left_out in self.left_out if left_out.listed]
        return sorted([function.name for function in self.functions] + listed)

    def durable_names(self, kind: Kind) -> list[str]:
        """The names of one kind of durable function, sorted."""
        return sorted(function.durable_name for function in self.of_kind(kind))


def no_such_function(kind: str, name: str, known: list[str]) -> str:
    """The host's message for a durable function that does not exist."""
    listed = ", ".join(f"'{other}'" for other in known)
    info = (
        f"The following are the known {kind} functions: {listed}."
        if known
        else f"No {kind} functions are currently registered!"
    )
    return (
        f"The function '{name}' doesn't exist, is disabled, or is not an {kind} function."
        f" Additional info: {info}"
    )
