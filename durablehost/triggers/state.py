"""What triggers remember from one start of durablehost to the next."""

from typing import Protocol


class TriggerState(Protocol):
    """Texts by key: when a timer last ran, which blobs a function has had."""

    def get(self, key: str) -> str | None:
        """What was last put under this key; None if nothing was."""
        ...

    def put(self, key: str, value: str) -> None:
        """Keep the value, also when durablehost ends right afterwards."""
        ...
