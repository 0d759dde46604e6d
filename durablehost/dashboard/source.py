"""Where the dashboard reads instances: from a hub, or from a deployed app."""

from datetime import timedelta
from typing import Any, Protocol

from durablehost.hub.backend import Search

Json = dict[str, Any]


class Source(Protocol):
    """All answers are JSON values. Ids that are not known give None."""

    def version(self) -> str:
        """Changes whenever an answer may have changed; empty if that is not known."""
        ...

    async def about(self) -> Json:
        """What is shown, and whether instances can be managed."""
        ...

    async def instances(self, search: Search) -> Json:
        """A page of instances, and how many there are by status."""
        ...

    async def instance(self, instance_id: str) -> Json | None:
        """An instance with its history, its problems, its parents and its children."""
        ...

    async def replay(self, instance_id: str) -> Json | None:
        """What today's code does on the history of an instance."""
        ...

    async def entities(self) -> list[Json]:
        """The entities with their states and the operations that their code names."""
        ...

    async def problems(self) -> list[Json]:
        """All problems, oldest first."""
        ...

    async def move_clock(self, by: timedelta) -> bool:
        """Move the clock ahead. Returns whether this clock can be moved."""
        ...

    async def functions(self) -> Json:
        """The functions of the app, and those that were left out."""
        ...
