"""What a test sees of an instance, with the reason for its status."""

from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any

from durablehost.hub.backend import ENDED


class RuntimeStatus(str):
    """A runtime status, such as 'Running'. A failed assertion about it shows the reason."""

    _explain: Callable[[], str]

    def __new__(cls, value: str, explain: Callable[[], str]) -> "RuntimeStatus":
        status = super().__new__(cls, value)
        status._explain = explain
        return status

    def explain(self) -> str:
        """Explain in a few lines why the instance has this status."""
        return self._explain()


@dataclass(frozen=True, slots=True)
class InstanceState:
    """An instance as it was when the test looked; values are parsed."""

    id: str
    name: str
    status: RuntimeStatus
    input: Any
    output: Any
    custom_status: Any
    created: datetime
    updated: datetime
    version: str | None
    generation: int
    parent_id: str | None
    _described: Callable[[], str] = field(repr=False, compare=False)

    @property
    def ended(self) -> bool:
        return self.status in ENDED

    def __repr__(self) -> str:
        return f"<{self._described()}>"
