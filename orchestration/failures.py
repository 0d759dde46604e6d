"""Failures with a code, which orchestrators and callers can read.

An exception of an activity reaches the orchestrator as a plain Exception. Its text contains the
names of functions, the message, and stack traces of the host. A Failure writes its code into the
message, `[order_unknown] order PO-1 does not exist`, and `failure_of` reads it from such a text.
"""

import functools
import logging
import re
from collections.abc import Callable, Generator
from typing import Any, Final, TypedDict

import azure.durable_functions as df

Orchestrator = Callable[[df.DurableOrchestrationContext], Generator[Any, Any, Any]]

INTERNAL: Final = "internal"

_CODE: Final = re.compile(r"[a-z][a-z0-9_]{0,63}")
_TEXT: Final = re.compile(
    r"(?:Orchestrator function '[^'\n]*' failed: )*"
    r"(?:Activity function '[^'\n]*' failed: +Failure: )?"
    r"\[(?P<code>[a-z][a-z0-9_]{0,63})(?P<retriable>, retriable)?\] (?P<message>[^\n]*?)"
    r" *(?:\n.*)?",
    re.DOTALL,
)

# The SDK's retry. It repeats refusals too, which here costs no more than four pauses.
_RETRY: Final = df.RetryOptions(first_retry_interval_in_milliseconds=5000, max_number_of_attempts=5)

log = logging.getLogger(__name__)


def is_code(text: object) -> bool:
    """Whether a text can be the code of a Failure."""
    return isinstance(text, str) and _CODE.fullmatch(text) is not None


class Failed(TypedDict):
    """A failure in an output or an HTTP answer."""

    code: str
    message: str


class Failure(Exception):
    """An expected failure: a code for programs, and a sentence for people."""

    def __init__(self, code: str, message: str, *, retriable: bool = False) -> None:
        """Callers see the message, so it must not contain secrets."""
        if not is_code(code):
            raise ValueError(f"failure code {code!r}: use lower case, digits and '_'")
        self.code = code
        self.message = " ".join(message.split())
        self.retriable = retriable
        super().__init__(f"[{code}{', retriable' if retriable else ''}] {self.message}")

    def as_data(self) -> Failed:
        return Failed(code=self.code, message=self.message)


def failure_of(error: object) -> Failure:
    """The Failure in the text of an exception, or in the output of a failed instance.

    An unexpected exception becomes `internal`, without its text, which contains stack traces and
    paths. It is retriable, because the loss of a worker looks the same.
    """
    if isinstance(error, Failure):
        return error
    if read := _TEXT.fullmatch(str(error)):
        return Failure(read["code"], read["message"], retriable=read["retriable"] is not None)
    return Failure(
        INTERNAL, "something unexpected stopped this work; the app's log has it", retriable=True
    )


def on_failure(
    activity: Any, message: Callable[[str, Failure, str], object]
) -> Callable[[Orchestrator], Orchestrator]:
    """Call an activity if the decorated orchestrator fails. The instance then fails as before.

    `message` makes the input of the activity from the id of the instance, its failure and a key,
    which is another one if the instance is started again.
    """

    def decorate(orchestrator: Orchestrator) -> Orchestrator:
        @functools.wraps(orchestrator)
        def with_message(context: df.DurableOrchestrationContext) -> Generator[Any, Any, Any]:
            try:
                return (yield from orchestrator(context))
            except Exception as error:  # whatever it was, a person has to know
                key = f"{context.instance_id}:{context.new_uuid()[:8]}:failed"
                payload = message(context.instance_id, failure_of(error), key)
                try:
                    yield context.call_activity_with_retry(activity, _RETRY, payload)
                except Exception as not_sent:  # the SDK raises nothing narrower
                    if not context.is_replaying:
                        why = failure_of(not_sent)
                        log.warning(
                            "%s: nobody was informed of the failure: %s", context.instance_id, why
                        )
                raise

        return with_message

    return decorate
