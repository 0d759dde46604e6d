"""How an orchestrator, or a part of one, is annotated."""

from collections.abc import Generator
from typing import Any, TypeAlias, TypeVar

T = TypeVar("T")

# Yields the SDK's tasks, gets their results back, returns a T.
Steps: TypeAlias = Generator[Any, Any, T]
