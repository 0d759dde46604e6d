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
        """Lock a hub file, which is no symbolic link. Creates it, readable for nobody else.

        The lock is on a file beside it. On Linux there is another lock on the file itself, for
        whoever opens it by a hard link; SQLite's own locks do not meet that one there.
        """
        self._descriptors: list[int] = []
        path = hub_file.with_name(hub_file.name + ".lock")
        try:
            _make_folder(path.parent)
            lock = self._open(path, os.O_RDWR)
            self._take(lock, lock, hub_file)
            hub = self._open(hub_file, os.O_RDONLY)
            if sys.platform == "linux":
                self._take(hub, lock, hub_file)
        except OSError as error:
            self.release()
            raise HubUnusable(
                f"{hub_file} cannot be used as a hub: {error.strerror}."
                " Make its folder writable, or name another file with --data."
            ) from None
        except HubInUse:
            self.release()
            raise
        with contextlib.suppress(OSError):  # on a full disk the lock holds, but has no process id
            os.ftruncate(lock, 0)
            os.write(lock, str(os.getpid()).encode())
        if hasattr(os, "register_at_fork"):
            # Otherwise a process that an activity forks would keep the lock.
            os.register_at_fork(after_in_child=partial(_release, weakref.ref(self)))

    def _open(self, path: Path, flags: int) -> int:
        self._descriptors.append(os.open(path, flags | os.O_CREAT, 0o600))
        return self._descriptors[-1]

    @staticmethod
    def _take(descriptor: int, lock: int, hub_file: Path) -> None:
        try:
            _lock(descriptor)
        except OSError:
            owner = os.read(lock, 32).decode().strip() or "unknown"
            raise HubInUse(
                f"{hub_file} is in use by another durablehost (process {owner})."
                " Stop that one, or name another file with --data."
            ) from None

    def release(self) -> None:
        """Release the lock. A second call has no effect."""
        while self._descriptors:
            os.close(self._descriptors.pop())


def _make_folder(folder: Path) -> None:
    """Make the folder of a hub where there is none: private, and ignored by git."""
    if folder.is_dir():
        return
    folder.parent.mkdir(parents=True, exist_ok=True)
    folder.mkdir(mode=0o700, exist_ok=True)
    (folder / ".gitignore").write_text("*\n", "utf-8")


def _release(lock: "weakref.ref[HubLock]") -> None:
    if (held := lock()) is not None:
        held.release()
