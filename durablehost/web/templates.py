"""ASP.NET route templates: `items/{id:int}/{*rest}`, read into segments."""

import re
from dataclasses import dataclass

from durablehost.web.constraints import Constraint, constraint

_LITERAL = re.compile(r"(?:[^{}/]|\{\{|\}\})+")
_PARAMETER = re.compile(r"\{((?:[^{}]|\{\{|\}\})+)\}(?!\})")


@dataclass(frozen=True)
class Text:
    """Fixed text in a segment. It ignores case."""

    text: str


@dataclass(frozen=True)
class Parameter:
    name: str
    catch_all: bool = False
    optional: bool = False
    default: str | None = None
    constraints: tuple[Constraint, ...] = ()

    @property
    def may_be_absent(self) -> bool:
        return self.optional or self.catch_all or self.default is not None


Part = Text | Parameter
Segment = tuple[Part, ...]


def parse_template(template: str) -> tuple[Segment, ...]:
    """The segments of a template. Raises ValueError."""
    if template.startswith("~") and not template.startswith("~/"):
        raise ValueError("it begins with '~'")
    rest = template.removeprefix("~").removeprefix("/")
    segments: list[Segment] = []
    parts: list[Part] = []
    at = 0
    while at < len(rest):
        if rest[at] == "/":
            segments.append(_segment(parts))
            parts = []
            at += 1
        elif literal := _LITERAL.match(rest, at):
            parts.append(Text(_literal(literal[0])))
            at = literal.end()
        elif parameter := _PARAMETER.match(rest, at):
            parts.append(_parameter(_unescaped(parameter[1])))
            at = parameter.end()
        else:
            raise ValueError("a brace has no partner; a brace that is meant as text is doubled")
    if parts:
        segments.append(_segment(parts))
    _check_whole(segments)
    return tuple(segments)


def fold(text: str) -> str:
    """A text for comparisons that ignore case. It keeps its length."""
    if text.isascii():
        return text.upper()
    return "".join(char.upper() if len(char.upper()) == 1 else char for char in text)


def _unescaped(text: str) -> str:
    return text.replace("}}", "}").replace("{{", "{")


def _literal(text: str) -> str:
    if "?" in text:
        raise ValueError("'?' stands outside of a parameter's braces")
    return fold(_unescaped(text))


def _parameter(text: str) -> Parameter:
    optional = text.endswith("?")
    stars = len(text) - len(text.lstrip("*"))
    catch_all = 0 < stars <= 2
    if catch_all and optional:
        raise ValueError("a parameter that takes the rest of the path cannot be optional")
    inner = text[min(stars, 2) : -1] if optional else text[min(stars, 2) :]
    end = next((i for i, char in enumerate(inner) if i and char in ":="), len(inner))
    name, (constraints, default) = inner[:end], _constraints(inner[end:])
    if not name or re.search(r"[/{}?*]", name):
        raise ValueError(f"{name!r} is no name for a parameter")
    if optional and default is not None:
        raise ValueError(f"the parameter {name!r} is optional and has a default")
    tests = tuple(constraint(each) for each in constraints)
    return Parameter(name, catch_all, optional, default, tests)


def _constraints(text: str) -> tuple[list[str], str | None]:
    """Read constraints and default, such as `:int:min(1)=5`."""
    found, at = [], 0
    while text.startswith(":", at):
        end = _end_of_constraint(text, at + 1)
        found.append(text[at + 1 : end])
        at = end
    return [each for each in found if each], text[at + 1 :] if at < len(text) else None


def _end_of_constraint(text: str, at: int) -> int:
    """Where a constraint ends: at a colon or `=` outside parentheses."""
    inside = False
    while at < len(text):
        if not inside:
            if text[at] in ":=":
                return at
            inside = text[at] == "("
        elif text[at] == ")" and text[at + 1 : at + 2] in ("", ":", "="):
            return at + 1
        elif text[at] in ":=":
            closing = text.find(")", at + 1)
            if closing == -1:
                return at
            at = closing
        at += 1
    return len(text)


def _segment(parts: list[Part]) -> Segment:
    if not parts:
        raise ValueError("two slashes follow one another, or it begins with one")
    for i, part in enumerate(parts):
        if isinstance(part, Text) or len(parts) == 1:
            continue
        before = parts[i - 1] if i else None
        if part.catch_all:
            raise ValueError(
                f"{part.name!r} takes the rest of the path, so it needs its own segment"
            )
        if isinstance(before, Parameter):
            raise ValueError(f"no text stands between {before.name!r} and {part.name!r}")
        if part.optional and (i < len(parts) - 1 or before != Text(".")):
            raise ValueError(f"the optional {part.name!r} has to end its segment, after a dot")
    return tuple(parts)


def _check_whole(segments: list[Segment]) -> None:
    names: set[str] = set()
    for i, segment in enumerate(segments):
        for part in segment:
            if isinstance(part, Text):
                continue
            if part.catch_all and i < len(segments) - 1:
                raise ValueError(f"{part.name!r} takes the rest of the path, so it has to be last")
            if part.name.lower() in names:
                raise ValueError(f"the parameter {part.name!r} stands there twice")
            names.add(part.name.lower())
