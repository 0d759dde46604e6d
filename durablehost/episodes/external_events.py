"""External events and the replies of entities: the waits for them, and those that came early."""

from collections import deque

from durablehost.episodes.waits import Wait


class ExternalEvents:
    """Events by name. Upper and lower case make no difference here."""

    def __init__(self) -> None:
        # Each wait with the name as the orchestrator spells it.
        self._waiting: dict[str, list[tuple[str, Wait]]] = {}
        self._buffered: dict[str, deque[str]] = {}
        self.misheard: list[tuple[str, str]] = []  # (name as sent, name as waited for)

    @property
    def expected(self) -> list[str]:
        """The names of the events still waited for."""
        return [name for waiting in self._waiting.values() for name, _ in waiting]

    def wait_for(self, name: str) -> Wait:
        wait = Wait()
        waiting = self._waiting.setdefault(name.lower(), [])
        waiting.append((name, wait))
        if buffered := self._buffered.get(name.lower()):
            self._hear(buffered.popleft(), waiting)
        return wait

    def came(self, name: str) -> None:
        """An event has come. If no one waits for it, it is kept."""
        if waiting := self._waiting.get(name.lower()):
            self._hear(name, waiting)
        else:
            self._buffered.setdefault(name.lower(), deque()).append(name)

    def are_expected(self, name: str) -> bool:
        return bool(self._waiting.get(name))

    def rename(self, name: str, new_name: str) -> None:
        """Let the waits for one name wait for another. Both names are in lower case."""
        waiting = self._waiting.pop(name)
        self._waiting[new_name] = [(new_name, wait) for _, wait in waiting]

    def _hear(self, name: str, waiting: list[tuple[str, Wait]]) -> None:
        waited_for, wait = waiting.pop()  # the last to wait is served first
        if waited_for != name:
            self.misheard.append((name, waited_for))
        wait.finish()
