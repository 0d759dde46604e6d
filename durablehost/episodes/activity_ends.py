"""The history events of activities that have ended, with failures in the host's words."""

from collections.abc import Awaitable
from typing import Any, Final

from durablehost.errors import FunctionFailed
from durablehost.hub import history
from durablehost.hub.backend import ActivityWork
from durablehost.hub.clock import Clock
from durablehost.hub.history import Event, compact

_HRESULT: Final = -2146233088  # any exception


async def end_of(activity: ActivityWork, result: Awaitable[str], clock: Clock) -> Event:
    """Await the result of an activity; the event for its orchestrator."""
    try:
        text = await result
    except FunctionFailed as failure:
        return failed_activity(activity.task_id, activity.name, failure, clock)
    except OSError as error:  # only `call_http` raises it
        return failed_http(activity.task_id, str(error), clock)
    return history.task_completed(clock.now(), activity.task_id, text)


def failed_activity(task_id: int, name: str, failure: FunctionFailed, clock: Clock) -> Event:
    """The event of an activity that raised."""
    words = str(failure)
    reason = f"Activity function '{name}' failed: {words}"
    return history.task_failed(clock.now(), task_id, reason, _details(words, failure))


def failed_http(task_id: int, words: str, clock: Clock) -> Event:
    """The event of a `call_http` that got no response."""
    failure = FunctionFailed("HttpRequestException", words, "")
    return history.task_failed(clock.now(), task_id, words, _details(words, failure))


def _details(words: str, failure: FunctionFailed) -> str:
    """The host's exception as JSON. The SDK appends it to the message that it raises."""
    return compact(
        {
            "$type": "System.Exception, System.Private.CoreLib",
            "ClassName": "System.Exception",
            "Message": words,
            "Data": None,
            "InnerException": _inner(words, failure),
            "HelpURL": None,
            "StackTraceString": None,
            "RemoteStackTraceString": None,
            "RemoteStackIndex": 0,
            "ExceptionMethod": None,
            "HResult": _HRESULT,
            "Source": None,
            "WatsonBuckets": None,
        }
    )


def _inner(words: str, failure: FunctionFailed) -> dict[str, Any]:
    """The exception of the worker."""
    return {
        "$type": "RpcException",
        "Message": f"Result: Failure\nException: {words}\nStack: {failure.stack}",
        "Data": {"$type": "System.Collections.ListDictionaryInternal, System.Private.CoreLib"},
        "InnerException": None,
        "HelpLink": None,
        "Source": "durablehost",
        "HResult": _HRESULT,
        "StackTrace": failure.stack,
    }
