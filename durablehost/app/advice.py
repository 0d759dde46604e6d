"""Advice for each rule of the host that a function can break: what to write instead."""

import collections.abc
import inspect
import re
import types
import typing
from collections.abc import Collection, Iterable, Mapping, Sequence
from typing import Any

from durablehost.app.source import Decorator

# The argument of a decorator that names the parameter of its binding. Others have `arg_name`.
_ARGUMENT = {
    "activityTrigger": "input_name",
    "orchestrationTrigger": "context_name",
    "entityTrigger": "context_name",
    "durableClient": "client_name",
    "httpTrigger": "trigger_arg_name",
}
_VALUE_OF_TRIGGER = {
    "httpTrigger": "func.HttpRequest",
    "timerTrigger": "func.TimerRequest",
    "queueTrigger": "func.QueueMessage",
    "blobTrigger": "func.InputStream",
    "eventGridTrigger": "func.EventGridEvent",
    "eventHubTrigger": "func.EventHubEvent",
    "serviceBusTrigger": "func.ServiceBusMessage",
}

ON_EMPTY_REGISTER = (
    "The decorators of this function belong to two objects (`@bp.…` above `@app.…`), and each "
    "object registers only its own decorators: use one object for all decorators of a function."
)


def argument_of(binding_type: str) -> str:
    """Return the argument of the decorator that names a binding of this type."""
    return _ARGUMENT.get(binding_type, "arg_name")


def on_context(function: str, bindings: Mapping[str, str]) -> str:
    """Advice for a parameter `context` that is not a `func.Context`."""
    for trigger_type in ("orchestrationTrigger", "entityTrigger"):
        if trigger_type in bindings.values():
            return _context_name(function, trigger_type)
    return "Write `context: func.Context`, or give the parameter and its binding another name."


def _context_name(function: str, trigger_type: str) -> str:
    decorator = "entity_trigger" if trigger_type == "entityTrigger" else "orchestration_trigger"
    return (
        f'Write `@app.{decorator}(context_name="context")` and `def {function}(context):`; '
        "it loads with no other name."
    )


def on_annotation(name: str, annotation: Any) -> str:
    """Advice for an annotation that is not a class: the nearest class."""
    plain = _plain_class(annotation)
    none_too = types.NoneType in typing.get_args(annotation)
    even_none = f" `None` still reaches `{name}`." if none_too else ""
    if plain is None:
        return f"Write `{name}` without an annotation.{even_none}"
    if plain == "dict":
        class_name = _legal(name)[:1].upper() + _legal(name)[1:]
        return (
            f"Write `{name}: dict`, or a TypedDict (`class {class_name}(TypedDict): ...`) "
            f"with its keys, or no annotation.{even_none}"
        )
    return f"Write `{name}: {plain}`, or no annotation.{even_none}"


def _plain_class(annotation: Any) -> str | None:
    origin = typing.get_origin(annotation)
    if origin in (typing.Union, types.UnionType):
        members = {
            _plain_class(member)
            for member in typing.get_args(annotation)
            if member is not types.NoneType
        }
        return members.pop() if len(members) == 1 else None
    annotation = origin or getattr(annotation, "__supertype__", annotation)
    if not isinstance(annotation, type) or annotation is collections.abc.Callable:
        return None
    if issubclass(annotation, collections.abc.Mapping):
        return annotation.__name__ if typing.is_typeddict(annotation) else "dict"
    if annotation in (list, tuple, set, frozenset) or annotation.__module__ == "collections.abc":
        return "list"  # JSON has lists only
    return annotation.__name__


def on_unbound(
    function: str,
    parameters: Mapping[str, inspect.Parameter],
    bindings: Mapping[str, str],
    route: str,
) -> str:
    """Advice for parameters without a binding. `bindings` has the types of bindings by name."""
    extra = [parameter for name, parameter in parameters.items() if name not in bindings]
    unused = [name for name in bindings if name not in parameters]
    kinds = {parameter.kind for parameter in extra}
    if kinds == {inspect.Parameter.VAR_POSITIONAL, inspect.Parameter.VAR_KEYWORD}:
        return (
            "A decorator hides the function's own parameters: put `@functools.wraps(function)` "
            "on the function it returns."
        )
    name = extra[0].name
    if len(extra) == len(unused) == 1:
        argument = argument_of(bindings[unused[0]])
        return (
            f'The decorator says `{argument}="{unused[0]}"`, the function says `{name}`: '
            "give both the same name."
        )
    if "client" in name.lower():
        name = _legal(name)
        return (
            f'Put `@app.durable_client_input(client_name="{name}")` below the trigger, '
            f"and call the parameter `{name}`."
        )
    if kinds & {inspect.Parameter.VAR_POSITIONAL, inspect.Parameter.VAR_KEYWORD}:
        return "Remove the `*` and `**` parameters: a function receives its bindings by name only."
    return _without_binding(function, name, bindings, route)


def _without_binding(function: str, name: str, bindings: Mapping[str, str], route: str) -> str:
    if own := _named(bindings, "activityTrigger"):
        return (
            "An activity has one parameter, even with a default value: send a dict "
            f'(`yield context.call_activity("{function}", {{"{name}": ...}})`) and read '
            f'`{own}["{name}"]`.'
        )
    if request := _named(bindings, "httpTrigger"):
        source = (
            "route_params" if re.search(rf"{{\*{{0,2}}{re.escape(name)}\W", route) else "params"
        )
        return (
            f"Remove the parameter `{name}` and read the value in the function: "
            f'`{name} = {request}.{source}["{name}"]`.'
        )
    return f"Remove the parameter `{name}`, or add its binding."


def _named(bindings: Mapping[str, str], binding_type: str) -> str | None:
    return next((name for name, its_type in bindings.items() if its_type == binding_type), None)


def on_hidden(function: str, name: str, written: Collection[str]) -> str:
    """Advice for a parameter of the source that a decorator hides; empty for other bindings."""
    if name not in written:
        return ""
    return (
        f"`{function}` has a parameter `{name}`, and a decorator hides it: put "
        "`@functools.wraps(function)` on the function it returns, or remove the decorator."
    )


def on_unused(function: str, name: str, binding_type: str, *, takes_context: bool) -> str:
    """Advice for a binding without a parameter."""
    if takes_context and binding_type in ("orchestrationTrigger", "entityTrigger"):
        return _context_name(function, binding_type)
    return (
        f'The decorator says `{argument_of(binding_type)}="{name}"`: give the function '
        f"a parameter `{name}`."
    )


def on_two_objects(decorators: Iterable[Decorator]) -> str:
    """Advice for a function with decorators of an app and of a blueprint; otherwise empty."""
    owners = list(dict.fromkeys(one.owner for one in decorators if one.declares))
    if len(owners) < 2:
        return ""
    return (
        f"Its decorators belong to two objects, `{owners[0]}` and `{owners[1]}`, and each object "
        f"registers only its own: use `@{owners[-1]}.` for all of them, with the trigger on top."
    )


def on_foreign_client(function: str, binding_type: str, decorators: Iterable[Decorator]) -> str:
    """Advice for a durable client that the SDK gave to the wrong function; otherwise empty."""
    names = {one.name for one in decorators}
    if binding_type != "durableClient" or not names or "durable_client_input" in names:
        return ""
    return (
        f"`{function}` declares no client: it got the client of a function whose decorators "
        "belong to two objects (`@bp.…` above `@app.…`). Use one object for all of them."
    )


def on_parted(decorators: Sequence[Decorator]) -> str:
    """Advice for foreign decorators between those of an app; empty if there are none."""
    declaring = [number for number, one in enumerate(decorators) if one.declares]
    if not declaring:
        return ""
    first, last = decorators[declaring[0]], decorators[declaring[-1]]
    between = [one for one in decorators[declaring[0] : declaring[-1]] if not one.declares]
    if not between:
        return ""
    return (
        f"{_listed(between)} {'is' if len(between) == 1 else 'are'} between `{first}` and "
        f"`{last}`, so the SDK sees two functions: write decorators that do not belong to "
        f"`{first.owner}` directly above `def`."
    )


def _listed(decorators: Sequence[Decorator]) -> str:
    *most, last = (f"`{one}`" for one in decorators)
    return f"{', '.join(most)} and {last}" if most else last


def on_no_trigger(decorators: Sequence[Decorator]) -> str:
    """Advice for a function without a trigger, or whose trigger another decorator hides."""
    if trigger := next((one for one in decorators if one.is_trigger), None):
        kept = on_parted(decorators) or on_two_objects(decorators)
        if kept or any(one.name == "durable_client_input" for one in decorators[:-1]):
            return kept or (
                f"In a `func.FunctionApp`, `@{trigger.owner}.durable_client_input` discards the "
                f"decorators below it: write it below `{trigger}`, directly above `def`, or make "
                f"`{trigger.owner}` a `df.DFApp()`."
            )
    return on_two_objects(decorators) or (
        "Give it a trigger (`@app.route(...)`, `@app.activity_trigger(...)`, ...), "
        "below `@app.function_name` if there is one, or remove its decorators."
    )


def on_trigger_value(name: str, binding_type: str) -> str:
    if binding_type == "durableClient":
        return (
            f"Write `{name}: str`: on Python 3.14 the SDK cannot replace any other annotation of a"
            " client (Azure/azure-functions-durable-python#596)."
        )
    if value := _VALUE_OF_TRIGGER.get(binding_type):
        return f"Write `{name}: {value}`, or no annotation."
    return f"Write `{name}: str`, or no annotation."


def on_output_value(name: str, binding_type: str) -> str:
    if binding_type == "queue":
        several = f"`{name}: func.Out[typing.List[str]]`"
        return f"Write `{name}: func.Out[str]`, or {several} for several."
    return f"Write `{name}: func.Out[str]`."


def on_return(binding_type: str) -> str:
    if binding_type == "http":
        return (
            "Write `-> func.HttpResponse`, `-> str` or no return annotation; to answer with JSON: "
            '`return func.HttpResponse(json.dumps(value), mimetype="application/json")`.'
        )
    return "Write `-> str` or no return annotation."


def on_binding_name(name: str, binding_type: str) -> str:
    better = _legal(name)
    return (
        f'Write `{argument_of(binding_type)}="{better}"` and call the parameter `{better}`: '
        "letters and digits only, a letter first, at most 128."
    )


def _legal(name: str) -> str:
    first, *others = re.findall("[A-Za-z0-9]+", name) or ["value"]
    better = (first + "".join(word[:1].upper() + word[1:] for word in others)).lstrip("0123456789")
    return better if 0 < len(better) <= 128 else "value"


def on_function_name(name: str) -> str:
    better = re.sub("[^A-Za-z0-9_-]+", "_", name).strip("_-")[:128] or "my_function"
    if not better[0].isalpha() or better.lower() == "host":
        better = f"my_{better}"[:128]
    return (
        f'Write `@app.function_name("{better}")`: letters, digits, `_` and `-`, a letter first, '
        "at most 128, and not `host`."
    )


def on_schedule() -> str:
    return (
        "Write six fields, `{second} {minute} {hour} {day} {month} {day of week}` in UTC "
        '(`schedule="0 0 5 * * *"` is five in the morning), or a TimeSpan (`"00:05:00"`).'
    )


def on_unresolved(text: str) -> str:
    names = ", ".join(f'`"{name}": "..."`' for name in re.findall("%([^%]+)%", text))
    if not names:
        return "Write settings as `%NAME%`, with a `%` on both sides."
    return f"Put {names} under `Values` in local.settings.json, and into the app settings."
