"""Finds the line of the app that a thread runs, and ends a function that runs too long."""

import ctypes
import os
import sys
import sysconfig
from collections.abc import Sequence
from pathlib import Path
from types import CodeType
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
    frame = sys._current_frames().get(thread_id)
    places = []
    while frame is not None:
        places.append((frame.f_code, frame.f_lineno))
        frame = frame.f_back
    return _innermost_of_the_app(places)


def place_in(error: BaseException) -> str:
    """The line of the app that raised an exception, or called what raised it."""
    places = []
    trace = error.__traceback__
    while trace is not None:
        places.append((trace.tb_frame.f_code, trace.tb_lineno))
        trace = trace.tb_next
    return _innermost_of_the_app(places[::-1])


def _innermost_of_the_app(places: Sequence[tuple[CodeType, int]]) -> str:
    """The first line of the app, or the first of all; `places` begin with the innermost."""
    of_the_app = [one for one in places if _is_of_the_app(one[0].co_filename)]
    for code, line in [*of_the_app, *places]:
        return f"{Place(relative(code.co_filename), line)} in {code.co_name}"
    return "an unknown line"


def _is_of_the_app(file: str) -> bool:
    return os.path.isabs(file) and not file.startswith(_NOT_THE_APP)
