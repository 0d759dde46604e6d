"""Turns what the SDK collected into functions, by the rules of the Python worker and the host.

The worker checks first: if it refuses a function, the whole app does not load. The host then leaves
out single functions. Its rules are those of Azure Functions host 4.1037.
"""

import inspect
import json
import os
import re
import sys
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from azure.functions.decorators.function_app import Function as SdkFunction

from durablehost.app import advice, ncrontab
from durablehost.app.functions import Function, FunctionTable, Kind, LeftOut, Place
from durablehost.app.import_failures import on_2x_name
from durablehost.app.retry_policy import RetryPolicyWrong, read_retry_policy
from durablehost.app.signatures import Fault, faults, read_signature
from durablehost.app.source import place_of, user_function_of
from durablehost.errors import AppDoesNotLoad
from durablehost.settings.percent_names import resolve

NOTHING_LOADS = "On Azure no function of this app loads: every route answers 404."
_HOST_DOES_NOT_RUN = "On Azure the host does not run with this app: every route answers 503."
_EXTENSION_TYPES = (
    "The app uses azurefunctions-extensions-*: the real host supports the types of these packages "
    "as parameters, durablehost does not."
)

_KIND_OF_TRIGGER: Mapping[str, Kind] = {
    "httpTrigger": "http",
    "orchestrationTrigger": "orchestration",
    "activityTrigger": "activity",
    "entityTrigger": "entity",
    "timerTrigger": "timer",
    "queueTrigger": "queue",
    "blobTrigger": "blob",
}
# The field of a trigger with the name by which its function is called.
_DURABLE_NAME = {"orchestration": "orchestration", "activity": "activity", "entity": "entityName"}
# The fields of a binding in which the host replaces `%NAME%`.
_RESOLVED: Mapping[str, Sequence[str]] = {
    "timerTrigger": ("schedule",),
    "queueTrigger": ("queueName",),
    "blobTrigger": ("path",),
    "queue": ("queueName", "connection"),
    "blob": ("path", "connection"),
    "durableClient": ("taskHub", "connectionName"),
}
_FUNCTION_NAME = re.compile("(?!host$)[a-z][a-z0-9_-]{0,127}", re.IGNORECASE | re.ASCII)
_BINDING_NAME = re.compile(r"[a-zA-Z][a-zA-Z0-9]{0,127}|\$return")


def build_table(found: Sequence[SdkFunction]) -> FunctionTable:
    """Build the table of functions. Raises AppDoesNotLoad with everything that prevents loading."""
    functions: list[Function] = []
    complaints: list[str] = []
    for sdk_function in found:
        function, fault = _index(sdk_function)
        functions.append(function)
        if fault is not None:
            complaints.append(complaint(fault.says, function.place, fault.advice))
    if complaints:
        if "azurefunctions.extensions.base" in sys.modules:
            complaints.append(_EXTENSION_TYPES)
        raise AppDoesNotLoad("\n\n".join([*complaints, NOTHING_LOADS]))
    left_out = _left_out(functions)
    names = {function.name for function in left_out}
    serving = [function for function in functions if function.name not in names]
    _check_names_differ(functions, left_out)
    warnings = [warning for function in serving if (warning := _warning(function))]
    return FunctionTable(tuple(serving), tuple(left_out), tuple(warnings))


def complaint(says: str, place: Place | str, advised: str) -> str:
    """Format the host's message, the place, and what to write instead."""
    return f"{says}\n  at {place}\n  {advised}"


def _index(sdk_function: SdkFunction) -> tuple[Function, Fault | None]:
    handler = sdk_function.get_user_function()
    name = str(sdk_function.get_function_name())
    fault, takes_context, retry = None, False, None
    try:
        signature = read_signature(name, handler, sdk_function.get_bindings())
        takes_context = signature.takes_context
        fault = next(faults(signature), None)
        retry = read_retry_policy(sdk_function.get_settings_dict("retry_policy"))
    except RetryPolicyWrong as wrong:
        fault = Fault(str(wrong), wrong.advice)
    except (
        Exception
    ) as error:  # annotations are code of the app; the worker reports what they raise
        fault = Fault(f"{type(error).__name__}: {error}", _on_annotation_error(error))
    user_function = user_function_of(handler)
    bindings = tuple(json.loads(text) for text in sdk_function.get_raw_bindings())
    sdk_trigger = sdk_function.get_trigger()
    trigger = next(b for b in bindings if sdk_trigger and b["name"] == sdk_trigger.name)
    kind = _KIND_OF_TRIGGER.get(trigger["type"], "other")
    durable_name = trigger.get(_DURABLE_NAME[kind]) or name if kind in _DURABLE_NAME else ""
    function = Function(
        name=name,
        kind=kind,
        trigger=trigger,
        bindings=bindings,
        handler=handler,
        is_async=inspect.iscoroutinefunction(handler),
        place=place_of(user_function),
        durable_name=durable_name,
        user_function=user_function,
        takes_context=takes_context,
        retry=retry,
    )
    return function, fault


def _on_annotation_error(error: Exception) -> str:
    if isinstance(error, NameError):
        return (
            "Annotations are evaluated when the app loads: import the name outside of "
            "`if TYPE_CHECKING:`, or remove the annotation."
        )
    return on_2x_name(error) or "Remove the annotation, or write a plain class."


@dataclass(frozen=True)
class _Refusal:
    """Why the host leaves a function out."""

    words: str
    advice: str
    listed: bool = True


def _left_out(functions: Sequence[Function]) -> list[LeftOut]:
    left_out: list[LeftOut] = []
    routed: list[Function] = []
    # The host sorts by name: of two functions on one route, the first by name is loaded.
    for function in sorted(functions, key=lambda function: function.name.upper()):
        refusal = _name_refusal(function) or _route_refusal(function, routed)
        refusal = refusal or _indexing_refusal(function)
        if refusal is None:
            routed.append(function)
            continue
        left_out.append(
            LeftOut(
                name=function.name,
                says=f"The '{function.name}' function is in error: {refusal.words}",
                advice=refusal.advice,
                place=function.place,
                kind=function.kind,
                durable_name=function.durable_name,
                listed=refusal.listed,
            )
        )
    return left_out


def _name_refusal(function: Function) -> _Refusal | None:
    if not _FUNCTION_NAME.fullmatch(function.name):
        words = f"'{function.name}' is not a valid function name."
        return _Refusal(words, advice.on_function_name(function.name), listed=False)
    seen: set[str] = set()
    for binding in function.bindings:
        name = binding["name"]
        if not _BINDING_NAME.fullmatch(name):
            words = (
                f"The binding name {name} is invalid. Please assign a valid name to the binding."
            )
            return _Refusal(words, advice.on_binding_name(name, binding["type"]), listed=False)
        if name.lower() in seen:
            words = (
                f"Multiple bindings with name '{name}' discovered. Binding names must be unique."
            )
            return _Refusal(words, "Give each binding a different name.", listed=False)
        seen.add(name.lower())
    return None


def _route_refusal(function: Function, earlier: Sequence[Function]) -> _Refusal | None:
    if function.kind != "http":
        return None
    route = _route_of(function)
    if route.startswith(("admin", "runtime")):
        return _Refusal(
            "The specified route conflicts with one or more built in routes.",
            "Begin the route with anything but `admin` or `runtime`.",
        )
    for other in earlier:
        if other.kind == "http" and _route_of(other) == route and _share_method(function, other):
            return _Refusal(
                f"The route specified conflicts with the route defined by function '{other.name}'.",
                f"Give it another route, or methods that `{other.name}` ({other.place}) does not "
                'have: `@app.route(route="...", methods=["POST"])`.',
            )
    return None


def _route_of(function: Function) -> str:
    return (function.trigger.get("route") or function.name).strip("/").lower()


def _share_method(one: Function, other: Function) -> bool:
    methods, other_methods = one.trigger.get("methods"), other.trigger.get("methods")
    return not methods or not other_methods or bool(set(methods) & set(other_methods))


def _indexing_refusal(function: Function) -> _Refusal | None:
    error = f"Microsoft.Azure.WebJobs.Host: Error indexing method 'Functions.{function.name}'."
    if function.kind == "orchestration" and function.durable_name.startswith("@"):
        source = "Microsoft.Azure.WebJobs.Extensions.DurableTask"
        words = f"{error} {source}: Orchestration names must not start with @."
        return _Refusal(words, "Write `orchestration=...` without the `@`.")
    if unresolved := _unresolved(function):
        words, text = unresolved
        return _Refusal(
            f"{error} Microsoft.Azure.WebJobs.Host: {words}", advice.on_unresolved(text)
        )
    if function.kind == "timer":
        return _schedule_refusal(str(function.trigger.get("schedule", "")), error)
    return None


def _unresolved(function: Function) -> tuple[str, str] | None:
    """The host's words for the first `%NAME%` without a setting, and the text it stands in."""
    for binding in function.bindings:
        for field in _RESOLVED.get(binding["type"], ()):
            text = str(binding.get(field) or "")
            try:
                resolve(text, os.environ)
            except ValueError as error:
                return str(error), text
    return None


def _schedule_refusal(text: str, error: str) -> _Refusal | None:
    schedule = resolve(text, os.environ)
    try:
        ncrontab.parse(schedule)
    except ValueError:
        words = (
            f"{error} Microsoft.Azure.WebJobs.Extensions: The schedule expression '{schedule}' "
            "was not recognized as a valid cron expression or timespan string."
        )
        return _Refusal(words, advice.on_schedule())
    return None


def _check_names_differ(functions: Sequence[Function], left_out: Sequence[LeftOut]) -> None:
    gone = {function.name for function in left_out}
    seen: dict[str, Function] = {}
    for function in functions:
        if function.name in gone:
            continue
        if other := seen.get(function.name.lower()):
            says = (
                "Method overloads are not supported. There are multiple methods with the name "
                f"'Host.Functions.{function.name}'."
            )
            advised = (
                f"`{function.name}` and `{other.name}` ({other.place}) differ only in case: "
                f'rename one, or write `@app.function_name("...")` above it.'
            )
            raise AppDoesNotLoad(
                f"{complaint(says, function.place, advised)}\n\n{_HOST_DOES_NOT_RUN}"
            )
        seen[function.name.lower()] = function


def _warning(function: Function) -> str | None:
    user_function = function.user_function or function.handler
    is_async = inspect.iscoroutinefunction(user_function) or inspect.isasyncgenfunction(
        user_function
    )
    name = f"{function.place}: {function.name}"
    if function.kind in ("orchestration", "entity") and is_async:
        return (
            f"{name} is an async {function.kind} function: it loads, but does not work. "
            "Write `def` instead of `async def`, and `yield` instead of `await`."
        )
    if function.kind in ("orchestration", "entity") and (more := _second_parameter(user_function)):
        return (
            f"{name} takes a second parameter, `{more}`: it loads, but fails at every call. Only "
            "azure-functions-durable 2.x passes the input to it. Take the context only, and write "
            f"`{more} = context.get_input()`."
        )
    if function.client_bindings and not is_async:
        return (
            f"{name} has a durable client but is not async: it loads, but fails at every call. "
            "Write `async def`, and `await` the methods of the client."
        )
    return None


def _second_parameter(function: Callable[..., Any]) -> str | None:
    """The second parameter of a function, if a call with one argument fails for lack of it."""
    parameters = list(inspect.signature(function).parameters.values())
    required = [
        parameter.name
        for parameter in parameters[1:]
        if parameter.default is parameter.empty
        and parameter.kind not in (parameter.VAR_POSITIONAL, parameter.VAR_KEYWORD)
    ]
    return required[0] if required else None
