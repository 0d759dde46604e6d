"""The interface to what triggers keep from one start of durablehost to the next."""

from typing import Protocol


class TriggerState(Protocol):
    """Texts by key: when a timer last ran, which blobs a function has processed."""

    def get(self, key: str) -> str | None:
        """The text that was last stored under this key; None if there is none."""
        ...

    def put(self, key: str, value: str) -> None:
        """Store a text on disk."""
        ...
