"""Prints where the app's code is when it lets no other thread run, which only C code can do."""

import asyncio
import faulthandler
import sys
from typing import Final

_DEBUGGERS: Final = frozenset({"debugpy", "pydevd"})
_LOOK_EVERY: Final = 2.0  # seconds
_STANDS_STILL: Final = 8.0  # seconds, after which the stacks are printed


async def watch_for_standstill() -> None:
    """Postpone the printing of all stacks for as long as this loop gets its turn.

    Code that never lets go of the interpreter stops every other thread, this loop among them.
    `faulthandler` needs no turn.
    """
    try:
        while not _DEBUGGERS & sys.modules.keys():  # a breakpoint stops every thread, too
            faulthandler.dump_traceback_later(_STANDS_STILL, file=sys.__stderr__ or sys.stderr)
            await asyncio.sleep(_LOOK_EVERY)
    finally:
        faulthandler.cancel_dump_traceback_later()
