"""Which function of the app runs at the moment, so that its log lines can be told apart."""

from collections.abc import Iterator
from contextlib import contextmanager
from contextvars import ContextVar

_NAME: ContextVar[str] = ContextVar("running function", default="")


def running_function() -> str:
    """The name of the function that this code runs in; empty outside of a call."""
    return _NAME.get()


@contextmanager
def runs(name: str) -> Iterator[None]:
    """The function with this name runs in this block."""
    token = _NAME.set(name)
    try:
        yield
    finally:
        _NAME.reset(token)
