"""Start anew when the app's files change."""

import asyncio
import os
import sys
from pathlib import Path
from typing import Final, NoReturn

_LOOK_EVERY: Final = 0.5  # seconds
_WATCHED: Final = ("*.py", "host.json", "local.settings.json")
_NOT_THE_APP: Final = frozenset({".venv", "venv", ".git", "node_modules", "__pycache__"})


class Watch:
    """The app's files, and this process, as they were when durablehost started."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        # Before the app is imported: what changes meanwhile is a change.
        self._seen = _look(folder)
        self._environ = dict(os.environ)
        self._working_folder = os.getcwd()

    async def change(self) -> str:
        """Wait until a file of the app changes, comes, or goes; its name."""
        while (now := _look(self._folder)) == self._seen:  # noqa: ASYNC110  # files send no events
            await asyncio.sleep(_LOOK_EVERY)
        different = sorted(path for path, _ in self._seen.items() ^ now.items())
        return str(different[0].relative_to(self._folder))

    def start_anew(self, *more: str) -> NoReturn:
        """Replace this process by one like it, with more arguments: it imports the app afresh.

        The app's folder had become the current one, and its settings were put into the environment.
        """
        os.chdir(self._working_folder)
        command = [sys.executable, *sys.orig_argv[1:], *more]
        os.execve(sys.executable, command, self._environ)


def _look(folder: Path) -> dict[Path, int]:
    found = {}
    for root, folders, files in os.walk(folder):
        folders[:] = [name for name in folders if name not in _NOT_THE_APP]
        for name in files:
            path = Path(root, name)
            if any(path.match(pattern) for pattern in _WATCHED):
                try:
                    found[path] = path.stat().st_mtime_ns
                except OSError:  # gone between the listing and the look
                    continue
    return found
