"""Failures whose code survives the platform, which passes on nothing but text.

Whatever an activity raises reaches its orchestrator as a bare Exception: the names of the
functions it went through, the words, and the host's own stack traces. A Failure writes its code
into the words, `[order_unknown] order PO-1 does not exist`, and `failure_of` reads it back.
"""

import re
from typing import Final, TypedDict

INTERNAL: Final = "internal"

_CODE: Final = re.compile(r"[a-z][a-z0-9_]{0,63}")
_TEXT: Final = re.compile(
    r"(?:Orchestrator function '[^'\n]*' failed: )*"
    r"(?:Activity function '[^'\n]*' failed: +Failure: )?"
    r"\[(?P<code>[a-z][a-z0-9_]{0,63})(?P<retriable>, retriable)?\] (?P<message>[^\n]*?)"
    r" *(?:\n.*)?",
    re.DOTALL,
)


def is_code(text: object) -> bool:
    """Whether a text can be the code of a Failure."""
    return isinstance(text, str) and _CODE.fullmatch(text) is not None


class Failed(TypedDict):
    """A failure as results and answers show it."""

    code: str
    message: str


class Failure(Exception):
    """A failure foreseen: a code for programs, and a sentence for people."""

    def __init__(self, code: str, message: str, *, retriable: bool = False) -> None:
        """The message goes to callers as it is: nothing in it may be secret."""
        if not is_code(code):
            raise ValueError(f"failure code {code!r}: use lower case, digits and '_'")
        self.code = code
        self.message = " ".join(message.split())
        self.retriable = retriable
        super().__init__(f"[{code}{', retriable' if retriable else ''}] {self.message}")

    def as_data(self) -> Failed:
        return Failed(code=self.code, message=self.message)


def failure_of(error: object) -> Failure:
    """The failure that an exception, or the output of a failed instance, tells of.

    One that nobody foresaw becomes `internal`, without its words: they hold stack traces and
    paths. It counts as retriable, as a worker that was lost is told in the same way.
    """
    if isinstance(error, Failure):
        return error
    if read := _TEXT.fullmatch(str(error)):
        return Failure(read["code"], read["message"], retriable=read["retriable"] is not None)
    return Failure(
        INTERNAL, "something unexpected stopped this work; the app's log has it", retriable=True
    )
