"""Events from outside and the answers of entities: who waits for them, and what came too early."""

from collections import deque

from durablehost.episodes.waits import Wait


class ExternalEvents:
    """Events by name, whose case makes no difference here."""

    def __init__(self) -> None:
        # Beside each wait the name as it was spelled.
        self._waiting: dict[str, list[tuple[str, Wait]]] = {}
        self._buffered: dict[str, deque[str]] = {}
        self.misheard: list[tuple[str, str]] = []  # events as they were sent, and waited for

    @property
    def expected(self) -> list[str]:
        """The events still waited for, as they are spelled."""
        return [name for waiting in self._waiting.values() for name, _ in waiting]

    def wait_for(self, name: str) -> Wait:
        wait = Wait()
        waiting = self._waiting.setdefault(name.lower(), [])
        waiting.append((name, wait))
        if buffered := self._buffered.get(name.lower()):
            self._hear(buffered.popleft(), waiting)
        return wait

    def came(self, name: str) -> None:
        """One came; nobody may wait for it yet."""
        if waiting := self._waiting.get(name.lower()):
            self._hear(name, waiting)
        else:
            self._buffered.setdefault(name.lower(), deque()).append(name)

    def are_expected(self, name: str) -> bool:
        return bool(self._waiting.get(name))

    def rename(self, name: str, new_name: str) -> None:
        """Who waits for the one waits for the other from now on; both are in lower case."""
        waiting = self._waiting.pop(name)
        self._waiting[new_name] = [(new_name, wait) for _, wait in waiting]

    def _hear(self, name: str, waiting: list[tuple[str, Wait]]) -> None:
        waited_for, wait = waiting.pop()  # the last to wait is served first
        if waited_for != name:
            self.misheard.append((name, waited_for))
        wait.finish()
