"""Finds the HTTP function for a request.

The host asks the functions in the order of their names and takes the first whose route and
methods fit: a literal route does not win over `{id}`. (FunctionMetadataManager sorts them,
WebJobsRouter tries one after the other; `routes` and `route_params` in the recordings.)
"""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from durablehost.app.functions import Function
from durablehost.errors import CannotStart
from durablehost.web.paths import decoded_path, split_target
from durablehost.web.templates import Parameter, Segment, Text, fold, parse_template


@dataclass(frozen=True)
class _Route:
    function: Function
    segments: tuple[Segment, ...]
    methods: frozenset[str] | None  # None: every method


class Router:
    """The routes of an app's HTTP functions, read once."""

    def __init__(self, functions: Iterable[Function], prefix: str) -> None:
        http = (function for function in functions if function.kind == "http")
        routes = [_route(f, prefix) for f in sorted(http, key=lambda f: f.name.upper())]
        self._depth = len([part for part in prefix.split("/") if part])
        keys = {id(route): self._key_of(route) for route in routes}
        self._any = [route for route in routes if keys[id(route)] is None]
        self._by_key = {
            key: [route for route in routes if keys[id(route)] in (None, key)]
            for key in set(keys.values())
            if key is not None
        }

    def match(self, method: str, raw_path: str) -> tuple[Function, dict[str, str]] | None:
        """The function for a request's target and its route parameters, or None."""
        path = decoded_path(split_target(raw_path)[0])
        if not path.startswith("/") or "\0" in path:
            return None
        given = path[1:].split("/")
        if not given[-1]:
            given.pop()
        key = fold(given[self._depth]) if len(given) > self._depth else ""
        for route in self._by_key.get(key, self._any):
            if route.methods is None or method.upper() in route.methods:
                values = _values(route.segments, given, path)
                if values is not None:
                    return route.function, values
        return None

    def _key_of(self, route: _Route) -> str | None:
        """The text after the prefix in all paths of a route, or None if it varies."""
        segment = route.segments[self._depth : self._depth + 1]
        if segment and len(segment[0]) == 1 and isinstance(segment[0][0], Text):
            return segment[0][0].text
        return None


def route_of(function: Function, prefix: str) -> str:
    """The template of a function's whole path, without its first slash."""
    route = function.trigger.get("route") or function.name
    return f"{prefix}/{route}" if prefix else route


def methods_of(function: Function) -> tuple[str, ...]:
    """The methods that a function accepts, in capitals. An empty set means all."""
    return tuple(str(method).upper() for method in function.trigger.get("methods") or ())


def _route(function: Function, prefix: str) -> _Route:
    template = route_of(function, prefix)
    try:
        segments = parse_template(template)
    except ValueError as error:
        raise CannotStart(
            f"{function.place}: the route {function.trigger.get('route')!r} of {function.name!r} "
            f"cannot be read: {error}. On Azure no function of this app would load; "
            "correct the route."
        ) from error
    return _Route(function, segments, frozenset(methods_of(function)) or None)


def _values(segments: Sequence[Segment], given: list[str], path: str) -> dict[str, str] | None:
    """The parameters of a path that matches the segments, or None."""
    values: dict[str, str] = {}
    offset = 1
    for i, segment in enumerate(segments):
        first = segment[0]
        if i >= len(given):
            if len(segment) > 1 or isinstance(first, Text) or not first.may_be_absent:
                return None
        elif not given[i]:
            return None
        elif isinstance(first, Parameter) and first.catch_all:
            values[first.name] = path[offset:]
            break
        elif not _fits(segment, given[i], values):
            return None
        else:
            offset += len(given[i]) + 1
    else:
        if len(given) > len(segments):
            return None
    return values if _complete(segments, values) else None


def _complete(segments: Sequence[Segment], values: dict[str, str]) -> bool:
    """Add the defaults and check all constraints."""
    for segment in segments:
        for part in segment:
            if isinstance(part, Text):
                continue
            value = values.get(part.name, part.default)
            if value is None:
                if part.constraints and not part.optional:
                    return False
                continue
            values[part.name] = value
            if not all(test(value) for test in part.constraints):
                return False
    return True


def _fits(segment: Segment, given: str, values: dict[str, str]) -> bool:
    first, last = segment[0], segment[-1]
    if len(segment) == 1:
        if isinstance(first, Text):
            return fold(given) == first.text
        values[first.name] = given
        return True
    if _fits_parts(segment, given, values):
        return True
    if isinstance(last, Parameter) and last.optional and not given.endswith("."):
        return _fits_parts(segment[:-2], given, values)
    return False


def _fits_parts(parts: Segment, given: str, values: dict[str, str]) -> bool:
    """Match a segment of several parts from its end. A parameter matches as little as possible."""
    folded = fold(given)
    found: dict[str, str] = {}
    end = len(given)
    waiting: Parameter | None = None
    for i in range(len(parts) - 1, -1, -1):
        part = parts[i]
        if isinstance(part, Parameter):
            waiting = part
            continue
        room = end - 1 if waiting else end
        start = folded.rfind(part.text, 0, max(room, 0))
        if start == -1 or (i == len(parts) - 1 and start + len(part.text) != len(given)):
            return False
        if waiting:
            found[waiting.name] = given[start + len(part.text) : end]
            waiting = None
        end = start
    if waiting:
        found[waiting.name] = given[:end]
        end = 0
    if end or not all(found.values()):
        return False
    values.update(found)
    return True
