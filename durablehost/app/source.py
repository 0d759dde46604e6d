"""Finds functions and their decorators in an app's source."""

import ast
import inspect
import linecache
import re
import sys
import sysconfig
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

import azure.functions as func

from durablehost.app.functions import Place

_INSTALLED: Final = tuple(
    Path(sysconfig.get_path(name)) for name in ("stdlib", "platstdlib", "purelib", "platlib")
)
_OWN: Final = Path(__file__).parents[1]
_Definition = ast.FunctionDef | ast.AsyncFunctionDef


@dataclass(frozen=True)
class Decorator:
    """A decorator: `@app.route(...)` has the owner `app` and the name `route`."""

    owner: str  # empty for a plain function
    name: str

    def __str__(self) -> str:
        return f"@{self.owner}.{self.name}" if self.owner else f"@{self.name}"

    @property
    def declares(self) -> bool:
        """Whether it is a decorator of an app or a blueprint."""
        return bool(self.owner) and hasattr(func.FunctionApp, self.name)

    @property
    def is_trigger(self) -> bool:
        names = ("route", "schedule")
        return self.declares and (self.name in names or self.name.endswith("_trigger"))


def user_function_of(handler: Callable[..., Any]) -> Callable[..., Any]:
    """The function that the app's author wrote, without wrappers of the SDK and of decorators."""
    for attribute in ("orchestrator_function", "entity_function", "client_function"):
        while inner := getattr(handler, attribute, None):
            handler = inner
    unwrapped: Callable[..., Any] = inspect.unwrap(handler)
    return unwrapped


def place_of(function: Callable[..., Any]) -> Place:
    """The line of a function's `def`. The file is relative to the current folder if it is in it."""
    code = getattr(function, "__code__", None)
    if (code is None or code.co_filename != _module_file(function)) and (
        found := _definition_of(function)
    ):
        return Place(relative(found[0]), found[1].lineno)
    if code is None:
        return Place(getattr(function, "__module__", "?"), 1)
    line = code.co_firstlineno  # of the first decorator
    lines = linecache.getlines(code.co_filename)
    for number, text in enumerate(lines[line - 1 :], start=line):
        if re.match(rf"\s*(async\s+)?def\s+{code.co_name}\b", text):
            line = number
            break
    return Place(relative(code.co_filename), line)


def relative(file: str) -> str:
    path = Path(file)
    return str(path.relative_to(Path.cwd())) if path.is_relative_to(Path.cwd()) else file


def last_place(frames: Sequence[tuple[str, int]]) -> str:
    """The last of these lines that is code of the app or of a test; empty if none is."""
    for file, line in reversed(frames):
        path = Path(file)
        if not path.is_relative_to(_OWN) and not any(map(path.is_relative_to, _INSTALLED)):
            return f"{relative(file)}:{line}"
    return ""


def relative_place(place: str) -> str:
    """`file:line`, with the file relative to the current folder if it is in it."""
    file, _, line = place.rpartition(":")
    return f"{relative(file)}:{line}" if place else ""


def decorators_of(function: Callable[..., Any]) -> Sequence[Decorator]:
    """The decorators from the outermost to the innermost; none if the source cannot be read."""
    found = _definition_of(function)
    return [_read(node) for node in found[1].decorator_list] if found else ()


def parameters_of(function: Callable[..., Any]) -> frozenset[str]:
    """The names of the parameters in the source; none if the source cannot be read."""
    found = _definition_of(function)
    if found is None:
        return frozenset()
    return frozenset(node.arg for node in ast.walk(found[1].args) if isinstance(node, ast.arg))


def _definition_of(function: Callable[..., Any]) -> tuple[str, _Definition] | None:
    """The file and the `def` of a function, even if a wrapper without `__wrapped__` hides it.

    Such a wrapper still has the module and the name of the function.
    """
    code = getattr(function, "__code__", None)
    file = _module_file(function)
    try:
        tree = ast.parse("".join(linecache.getlines(file)))
    except SyntaxError:  # the file has changed since it was imported
        return None
    found = [node for node in ast.walk(tree) if isinstance(node, _Definition)]
    if code is not None and code.co_filename == file:
        found = [node for node in found if _first_line(node) == code.co_firstlineno]
    else:
        found = [node for node in found if node.name == getattr(function, "__name__", "")]
    return (file, found[-1]) if found else None


def _module_file(function: Callable[..., Any]) -> str:
    module = sys.modules.get(str(getattr(function, "__module__", None)))
    return getattr(module, "__file__", None) or ""


def _first_line(node: _Definition) -> int:
    return node.decorator_list[0].lineno if node.decorator_list else node.lineno


def _read(node: ast.expr) -> Decorator:
    called = node.func if isinstance(node, ast.Call) else node
    if isinstance(called, ast.Attribute):
        return Decorator(ast.unparse(called.value), called.attr)
    return Decorator("", ast.unparse(called))
