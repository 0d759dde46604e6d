"""Who has a hub file open."""

import os
import sys
from pathlib import Path

from devhost.errors import HubInUse, HubUnusable

if sys.platform == "win32":
    import msvcrt

    def _lock(descriptor: int) -> None:
        msvcrt.locking(descriptor, msvcrt.LK_NBLCK, 1)
else:
    import fcntl

    def _lock(descriptor: int) -> None:
        fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)


class HubLock:
    """Held as long as a devhost lives; the system lets it go when the process dies."""

    def __init__(self, hub: Path) -> None:
        path = hub.with_name(hub.name + ".lock")
        try:
            path.parent.mkdir(parents=True, exist_ok=True)
            self._descriptor = os.open(path, os.O_RDWR | os.O_CREAT, 0o644)
        except OSError as error:
            raise HubUnusable(
                f"{hub} cannot be used as a hub: {error.strerror}."
                " Make its folder writable, or name another file with --data."
            ) from None
        try:
            _lock(self._descriptor)
        except OSError:
            owner = os.read(self._descriptor, 32).decode().strip() or "unknown"
            os.close(self._descriptor)
            raise HubInUse(
                f"{hub} is in use by another devhost (process {owner})."
                " Stop that one, or name another file with --data."
            ) from None
        os.ftruncate(self._descriptor, 0)
        os.write(self._descriptor, str(os.getpid()).encode())

    def release(self) -> None:
        os.close(self._descriptor)
