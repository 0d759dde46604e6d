"""The table of limits is all there is: no field without an end, no cap written beside it."""

import ast
import re
from collections.abc import Iterator
from typing import Any

import pytest
from annotated_types import Le
from pydantic import BaseModel
from pydantic.fields import FieldInfo

from activities import limits
from activities.limits import Limit
from durablehost.app.functions import FunctionTable
from http_api import bodies, listing
from http_api.bodies import Body, Query
from tests.source import ROOT, modules_below

ALL = {name: value for name, value in vars(limits).items() if isinstance(value, Limit)}


def models(kind: type[BaseModel]) -> Iterator[type[BaseModel]]:
    for model in kind.__subclasses__():
        yield model
        yield from models(model)


def is_capped(info: FieldInfo) -> bool:
    """Whether a text or a list has a length, and a number a most; choices end by themselves."""
    kind = str(info.annotation)
    if "Literal" in kind:
        return True
    if re.search(r"\bint\b", kind.split("[")[0]):
        return any(isinstance(each, Le) for each in info.metadata)
    if info.annotation is str or kind.startswith("list["):
        return any(map(has_length, info.metadata))
    return True


def has_length(constraint: Any) -> bool:
    pattern = getattr(constraint, "pattern", None)
    if pattern and not re.search(r"[*+]|,\}", pattern):
        return True
    return getattr(constraint, "max_length", None) is not None


def test_every_field_of_a_request_has_a_limit(durable_app: FunctionTable) -> None:
    ours = [
        model
        for kind in (Body, Query)
        for model in models(kind)
        if model.__module__.split(".")[0] in ("blueprints", "http_api", "orchestration")
    ]

    endless = {
        f"{model.__module__}.{model.__name__}.{name}"
        for model in ours
        for name, info in model.model_fields.items()
        if not is_capped(info)
    }
    assert len(ours) > 10
    assert endless == set()


FOLDERS = ("activities", "blueprints", "http_api", "orchestration")
PATHS = [path for folder in FOLDERS for path in modules_below(ROOT / folder).values()]


def literal_caps(source: str) -> Iterator[str]:
    """Caps that are written as numbers where they are used."""
    for node in ast.walk(ast.parse(source)):
        if isinstance(node, ast.AnnAssign) and re.match("MOST_|MAX_", ast.unparse(node.target)):
            yield from [ast.unparse(node)] if node.value and is_literal(node.value) else []
        if not isinstance(node, ast.Call):
            continue
        called = ast.unparse(node.func)
        named = {keyword.arg: keyword.value for keyword in node.keywords}
        caps = [named.get(name) for name in ("le", "lt", "max_length", "most")]
        if called == "number_setting":
            caps += node.args[2:3]
        if any(map(is_literal, filter(None, caps))):
            yield ast.unparse(node)


def is_literal(cap: ast.expr) -> bool:
    """Whether it is made of numbers; 1 is no cap, but all there is."""
    numbers = [each.value for each in ast.walk(cap) if isinstance(each, ast.Constant)]
    return any(isinstance(number, int) and number > 1 for number in numbers)


@pytest.mark.parametrize("path", PATHS, ids=lambda path: str(path.relative_to(ROOT)))
def test_no_cap_is_written_where_it_is_used(path: Any) -> None:
    assert list(literal_caps(path.read_text("utf-8"))) == []


@pytest.mark.parametrize(
    "source",
    [
        "MOST_LANES: Final = 50",
        "Field(le=10**12)",
        "Field('', max_length=5)",
        "number_setting('X', 1, 5)",
        "f(most=24 * 365)",
    ],
)
def test_a_limit_that_is_written_as_a_number_is_noticed(source: str) -> None:
    assert list(literal_caps(source)) != []


# The page


def shown(number: int) -> str:
    """A number as a reader expects it: 5000, and 10,000."""
    return f"{number:,}" if number >= 10_000 else str(number)


def test_the_page_shows_the_table() -> None:
    page = (ROOT / "docs" / "limits.md").read_text("utf-8")

    rows = re.findall(r"^\| ([0-9,]+) \| (.+) \| (.+) \| (.+) \|$", page, re.MULTILINE)
    assert rows == [(shown(one.most), one.of, one.why, one.over) for one in ALL.values()]


# The building blocks have these caps of their own, so that each can be copied alone.
OF_BUILDING_BLOCKS = {
    "BODY_BYTES": bodies.BODY_BYTES,
    "ERRORS_NAMED": bodies.ERRORS_NAMED,
    "ID_CHARS": listing.ID_CHARS,
    "PAGE": listing.PAGE,
    "PAGE_TOKEN_CHARS": listing.PAGE_TOKEN_CHARS,
}


@pytest.mark.parametrize("name", OF_BUILDING_BLOCKS)
def test_the_table_has_the_caps_of_the_building_blocks(name: str) -> None:
    assert ALL[name].most == OF_BUILDING_BLOCKS[name]


@pytest.mark.parametrize("name", sorted(ALL.keys() - OF_BUILDING_BLOCKS.keys()))
def test_every_cap_is_used(name: str) -> None:
    assert any(f"limits.{name}.most" in path.read_text("utf-8") for path in PATHS)
