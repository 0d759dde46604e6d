"""The function of the app that runs at the moment. Log lines are filtered by its level."""

from contextvars import ContextVar, Token

_NAME: ContextVar[str] = ContextVar("running function", default="")


def running_function() -> str:
    """The name of the function that this code runs in; empty outside of a call."""
    return _NAME.get()


class runs:  # reads as the function that it is to its callers
    """Within a `with`: the function with this name runs. A class, because each call passes here."""

    __slots__ = ("_name", "_token")

    def __init__(self, name: str) -> None:
        self._name = name

    def __enter__(self) -> None:
        self._token: Token[str] = _NAME.set(self._name)

    def __exit__(self, *_: object) -> None:
        _NAME.reset(self._token)
