"""The exceptions that durablehost raises on purpose.

The first line of a message says what is wrong and names the value; the rest says what to do.
"""

from datetime import timedelta


class DurablehostError(Exception):
    """Base of every error durablehost raises on purpose."""


class CannotStart(DurablehostError):
    """durablehost cannot serve this app. The message is printed without a traceback."""


class AppDoesNotLoad(CannotStart):
    """On Azure no function of this app would load, and every route would answer 404."""


class AddressUnusable(CannotStart):
    """durablehost cannot listen on this host and port."""


class HubInUse(CannotStart):
    """Another durablehost has this hub file open."""


class HubUnusable(CannotStart):
    """The hub file cannot be read or written."""


class HubFull(DurablehostError):
    """The hub could not be written, and nothing of the request was saved."""


class InstanceNotFound(DurablehostError):
    """No orchestration instance has this id."""


class InstanceEnded(DurablehostError):
    """The instance has ended and accepts no more requests of this kind."""


class InstanceExists(DurablehostError):
    """An instance with this id has not ended yet."""


class WrongState(DurablehostError):
    """The state of the instance does not allow this request."""


class BadRequest(DurablehostError):
    """The host rejects the content of the request."""


class UnknownFunction(DurablehostError):
    """No function of this kind has this name."""


class FunctionFailed(DurablehostError):
    """A function of the app raised. `kind` is the exception's name, `stack` the stack trace.

    `place` is the last line of the app on the stack, such as `function_app.py:12 in fetch`.
    """

    def __init__(self, kind: str, message: str, stack: str, place: str = "") -> None:
        super().__init__(f"{kind}: {message}" if kind else message)
        self.kind = kind
        self.message = message
        self.stack = stack
        self.place = place


class FunctionTimedOut(FunctionFailed):
    """A function of the app ran for longer than `functionTimeout`."""

    def __init__(self, name: str, limit: timedelta, place: str = "") -> None:
        hours, seconds = divmod(limit.seconds, 3600)
        days = f"{limit.days}." if limit.days else ""
        span = f"{days}{hours:02}:{seconds // 60:02}:{seconds % 60:02}"
        words = f"Timeout value of {span} was exceeded by function: Functions.{name}"
        super().__init__("", words, "", place)


class FunctionDisabled(FunctionFailed):
    """An activity is disabled by a setting."""

    def __init__(self, name: str) -> None:
        super().__init__("", f"Activity function '{name}' is disabled.", "")
