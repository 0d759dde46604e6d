"""The lock on a hub file."""

import contextlib
import os
import sys
import weakref
from functools import partial
from pathlib import Path

from durablehost.errors import HubInUse, HubUnusable

if sys.platform == "win32":
    import msvcrt

    def _lock(descriptor: int) -> None:
        os.lseek(descriptor, 1 << 20, os.SEEK_SET)  # a locked byte cannot be read
        msvcrt.locking(descriptor, msvcrt.LK_NBLCK, 1)
        os.lseek(descriptor, 0, os.SEEK_SET)
else:
    import fcntl

    def _lock(descriptor: int) -> None:
        fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)


class HubLock:
    """Held by one process. The system releases it when the process ends."""

    def __init__(self, hub_file: Path) -> None:
        path = hub_file.with_name(hub_file.name + ".lock")
        try:
            path.parent.mkdir(parents=True, exist_ok=True)
            self._descriptor = os.open(path, os.O_RDWR | os.O_CREAT, 0o644)
        except OSError as error:
            raise HubUnusable(
                f"{hub_file} cannot be used as a hub: {error.strerror}."
                " Make its folder writable, or name another file with --data."
            ) from None
        try:
            _lock(self._descriptor)
        except OSError:
            owner = os.read(self._descriptor, 32).decode().strip() or "unknown"
            os.close(self._descriptor)
            raise HubInUse(
                f"{hub_file} is in use by another durablehost (process {owner})."
                " Stop that one, or name another file with --data."
            ) from None
        with contextlib.suppress(OSError):  # on a full disk the lock holds, but has no process id
            os.ftruncate(self._descriptor, 0)
            os.write(self._descriptor, str(os.getpid()).encode())
        if hasattr(os, "register_at_fork"):
            # Otherwise a process that an activity forks would keep the lock.
            os.register_at_fork(after_in_child=partial(_release, weakref.ref(self)))

    def release(self) -> None:
        """Release the lock. A second call has no effect."""
        descriptor, self._descriptor = self._descriptor, -1
        if descriptor >= 0:
            os.close(descriptor)


def _release(lock: "weakref.ref[HubLock]") -> None:
    if (held := lock()) is not None:
        held.release()
