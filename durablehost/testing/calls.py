"""The record of every call that the app's orchestrators make."""

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import datetime
from typing import Any, Literal

from durablehost.errors import FunctionFailed
from durablehost.hub.clock import Clock

Kind = Literal["activity", "http", "orchestrator", "entity", "signal"]


@dataclass(slots=True, repr=False)
class Call:
    """One run of an activity, a `call_http`, a child orchestration, or an operation of an entity.

    A signal is an operation without an outcome: it has ended when it is sent.
    """

    kind: Kind
    name: str  # of the function; of a `call_http` its method and URL
    input: Any
    instance_id: str  # of the orchestration that made the call
    at: datetime
    result: Any = None
    error: str | None = None  # such as "ValueError: no order PO-1"
    ended: bool = False
    key: str | None = None  # of the entity, like the operation
    operation: str | None = None

    def __repr__(self) -> str:
        operation = f" '{self.key}' {self.operation}" if self.key is not None else ""
        called = f"{self.kind} {self.name}{operation}({self.input!r})"
        if self.kind == "signal":
            return f"<{called}>"
        if not self.ended:
            return f"<{called} has not ended>"
        if self.error is not None:
            return f"<{called} failed: {self.error}>"
        return f"<{called} = {self.result!r}>"


class CallLog:
    """Keeps calls in the order in which they began."""

    def __init__(self, clock: Clock) -> None:
        self._clock = clock
        self.calls: list[Call] = []

    def begin(
        self,
        kind: Kind,
        name: str,
        value: Any,
        instance_id: str,
        *,
        key: str | None = None,
        operation: str | None = None,
    ) -> Call:
        now = self._clock.now()
        call = Call(kind, name, value, instance_id, now, key=key, operation=operation)
        self.calls.append(call)
        return call

    @contextmanager
    def call(self, kind: Kind, name: str, value: Any, instance_id: str) -> Iterator[Call]:
        """A call that ends with the `with` block; an exception of the block is its error."""
        call = self.begin(kind, name, value, instance_id)
        try:
            yield call
        except (FunctionFailed, OSError) as error:
            named = isinstance(error, FunctionFailed)
            call.error = str(error) if named else f"{type(error).__name__}: {error}"
            raise
        finally:
            call.ended = True
