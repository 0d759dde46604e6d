"""Finds out where a thread is in the app's code, and ends a function that runs too long."""

import ctypes
import os
import sys
import sysconfig
from pathlib import Path
from typing import Final

from durablehost.app.functions import Place
from durablehost.app.source import relative

_NOT_THE_APP: Final = (
    str(Path(__file__).parents[1]) + os.sep,
    sysconfig.get_path("purelib") + os.sep,
    sysconfig.get_path("platlib") + os.sep,
    sysconfig.get_path("stdlib") + os.sep,
)


class Interrupted(BaseException):
    """Raised in a thread to end the function of the app that runs there."""


def interrupt(thread_id: int) -> bool:
    """Raise Interrupted in a thread, once it runs Python code. Returns False if it has ended.

    A function that waits in C code, as `time.sleep` does, goes on until that returns. A function
    can also catch the exception. So a caller that wants to be rid of it calls this again.
    """
    raised = ctypes.py_object(Interrupted)
    threads: int = ctypes.pythonapi.PyThreadState_SetAsyncExc(ctypes.c_ulong(thread_id), raised)
    return threads > 0


def where_is(thread_id: int) -> str:
    """The line of the app that a thread is at, such as `function_app.py:12 in process`."""
    innermost = frame = sys._current_frames().get(thread_id)
    while frame is not None and not _is_of_the_app(frame.f_code.co_filename):
        frame = frame.f_back
    frame = frame or innermost
    if frame is None:
        return "an unknown line"
    place = Place(relative(frame.f_code.co_filename), frame.f_lineno)
    return f"{place} in {frame.f_code.co_name}"


def _is_of_the_app(file: str) -> bool:
    return os.path.isabs(file) and not file.startswith(_NOT_THE_APP)
