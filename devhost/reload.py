"""Start anew when the app's files change."""

import asyncio
import os
import sys
from pathlib import Path
from typing import Final, NoReturn

from devhost import console

_LOOK_EVERY: Final = 0.5  # seconds
_WATCHED: Final = ("*.py", "host.json", "local.settings.json")
_NOT_THE_APP: Final = frozenset({".venv", "venv", ".git", "node_modules", "__pycache__"})


async def changed(folder: Path) -> None:
    """Return once a file of the app has changed, come, or gone."""
    before = _look(folder)
    while (now := _look(folder)) == before:  # noqa: ASYNC110  # files send no events
        await asyncio.sleep(_LOOK_EVERY)
    different = sorted(path for path, _ in before.items() ^ now.items())
    console.say(f"{different[0].relative_to(folder)} has changed.")


def again() -> NoReturn:
    """Replace this process by one like it: a new interpreter imports the app afresh."""
    sys.stdout.flush()
    os.execv(sys.executable, [sys.executable, "-m", "devhost", *sys.argv[1:]])


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
