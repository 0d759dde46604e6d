"""Everything devhost raises on purpose.

The first line of a message says what is wrong, naming the value; what follows says what to do.
"""


class DevhostError(Exception):
    """Base of every error devhost raises on purpose."""


class CannotStart(DevhostError):
    """devhost cannot serve this app; the message is all a person needs to see."""


class AppDoesNotLoad(CannotStart):
    """On Azure no function of this app would load, and every route would answer 404."""


class AddressUnusable(CannotStart):
    """Nothing can listen on this host and port."""


class HubInUse(CannotStart):
    """Another devhost has this hub file open."""


class HubUnusable(CannotStart):
    """The hub file cannot be read or written."""


class HubFull(DevhostError):
    """The hub could not be written; nothing of this request was kept."""


class InstanceNotFound(DevhostError):
    """No orchestration instance has this id."""


class InstanceEnded(DevhostError):
    """The instance has ended and takes no more requests of this kind."""


class InstanceExists(DevhostError):
    """An instance of this id has not ended yet."""


class WrongState(DevhostError):
    """The instance is not in a state in which this can be done."""


class BadRequest(DevhostError):
    """The request says something the host does not take."""


class UnknownFunction(DevhostError):
    """No function of this kind has this name."""


class FunctionFailed(DevhostError):
    """A function of the app raised; `kind` is its exception's name, `stack` where it happened."""

    def __init__(self, kind: str, message: str, stack: str) -> None:
        super().__init__(f"{kind}: {message}")
        self.kind = kind
        self.message = message
        self.stack = stack
