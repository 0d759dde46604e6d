"""The table of settings in docs/deploying.md keeps up with the code that reads them."""

import ast
import importlib
import json
import os
import re
import subprocess
import sys
from collections.abc import Iterator
from fnmatch import fnmatchcase
from functools import cache

from activities.approvals import PEOPLE
from tests.bound_settings import bound_settings
from tests.processes import PARTIES
from tests.source import ROOT

FOLDERS = ("activities", "blueprints", "http_api", "orchestration")
READERS = {
    "os.environ.get",
    "number_setting",
    "flag_setting",
    "secret_setting",
}
SOURCES = [path for folder in FOLDERS for path in sorted((ROOT / folder).glob("*.py"))]
OF_THE_PLATFORM = {"FUNCTIONS_WORKER_RUNTIME"}

ROW = re.compile(r"^\| (`[^|]+`) \| ([^|]*)\| [^|]+ \|$", re.MULTILINE)


@cache
def documented() -> dict[str, str]:
    """The settings of the table, and what each is unless it is set."""
    page = (ROOT / "docs" / "deploying.md").read_text("utf-8")
    [section] = re.findall(r"^## Settings$(.*?)^## ", page, re.MULTILINE | re.DOTALL)
    return {
        name: usually.strip()
        for names, usually in ROW.findall(section)
        for name in re.findall(r"`([^`]+)`", names)
    }


def read_in(source: str) -> set[str]:
    """The settings that some code reads, with `*` where a part of the name is computed."""
    tree = ast.parse(source)
    values: dict[str, list[ast.expr]] = {}
    for node in ast.walk(tree):
        match node:
            case ast.Assign(targets=[ast.Name(id=name)], value=value):
                values.setdefault(name, []).append(value)
            case ast.AnnAssign(target=ast.Name(id=name), value=ast.expr() as value):
                values.setdefault(name, []).append(value)
            case ast.For(target=ast.Name(id=name), iter=value):
                values.setdefault(name, []).append(value)
    return {
        name
        for node in ast.walk(tree)
        if isinstance(node, ast.Call)
        for given in _named_by(node)
        for name in _names(given, values)
    }


def _named_by(call: ast.Call) -> Iterator[ast.expr]:
    yield from map(ast.Constant, _bound_by(call))
    if ast.unparse(call.func) in READERS and call.args:
        yield call.args[0]
    yield from (given.value for given in call.keywords if given.arg == "connection")


def _bound_by(call: ast.Call) -> Iterator[str]:
    """The settings that a binding names as `%NAME%`."""
    for given in call.keywords:
        if isinstance(given.value, ast.Constant) and isinstance(given.value.value, str):
            yield from re.findall(r"^%(\w+)%$", given.value.value)


def _names(given: ast.expr, values: dict[str, list[ast.expr]]) -> Iterator[str]:
    match given:
        case ast.Constant(value=str(name)):
            yield name
        case ast.JoinedStr(values=parts):
            texts = [part.value if isinstance(part, ast.Constant) else "*" for part in parts]
            yield "".join(map(str, texts))
        case ast.Name(id=name):
            for value in values.get(name, []):
                yield from _names(value, values)
        case ast.Tuple(elts=elements):
            for element in elements:
                yield from _names(element, values)


@cache
def read_by_the_app() -> frozenset[str]:
    return frozenset(name for path in SOURCES for name in read_in(path.read_text("utf-8")))


def usual_numbers() -> dict[str, str]:
    """The settings whose usual number is a constant of the module that reads them."""
    usual = {}
    for path in SOURCES:
        for node in ast.walk(ast.parse(path.read_text("utf-8"))):
            match node:
                case ast.Call(
                    func=ast.Name(id="number_setting"),
                    args=[ast.Constant(value=str(name)), ast.Name(id=constant), *_],
                ):
                    module = importlib.import_module(f"{path.parent.name}.{path.stem}")
                    usual[name] = str(getattr(module, constant))
    return usual


def test_settings_are_found_in_each_form_of_reading_them() -> None:
    source = (
        "A = ('ONE', 'TWO')\n"
        "for setting in A:\n    os.environ.get(f'{setting}__x')\n    os.environ.get(setting)\n"
        "number_setting('THREE', 1, 2)\nflag_setting('FOUR')\nos.environ.get(who.upper())\n"
        "bp.queue_trigger(connection='FIVE', queue_name='%SIX%')\n"
    )

    assert read_in(source) == {"ONE", "TWO", "*__x", "THREE", "FOUR", "FIVE", "SIX"}


def test_each_setting_that_is_read_is_in_the_table() -> None:
    read = read_by_the_app()

    assert len(read) > 20
    assert [each for each in read if not any(fnmatchcase(n, each) for n in documented())] == []


def test_each_setting_in_the_table_is_read() -> None:
    unread = documented().keys() - OF_THE_PLATFORM

    assert [n for n in unread if not any(fnmatchcase(n, e) for e in read_by_the_app())] == []


LEFT_OUT = """\
from pathlib import Path

from durablehost.testing import load_app

for each in load_app(Path.cwd()).left_out:
    print(each.name, each.says, each.advice)
"""


def test_a_function_whose_binding_lacks_its_setting_is_left_out_and_both_are_named() -> None:
    environ = {name: text for name, text in os.environ.items() if name not in bound_settings()}

    loaded = subprocess.run(
        [sys.executable, "-c", LEFT_OUT],
        cwd=ROOT,
        env=environ,
        capture_output=True,
        text=True,
        check=True,
    )

    timer, queue, poison = sorted(loaded.stdout.splitlines())
    assert poison.startswith("start_poisoned_event ")
    assert queue.startswith("record_queued_vendor_event ")
    assert "'%VENDOR_EVENTS_QUEUE%' does not resolve to a value" in queue
    assert '`"VENDOR_EVENTS_QUEUE": "..."`' in queue
    assert timer.startswith("purge_ended_instances ")
    assert "'%RETENTION_SCHEDULE%' does not resolve to a value" in timer
    assert '`"RETENTION_SCHEDULE": "..."`' in timer


def test_every_party_and_every_approver_has_a_setting_in_the_table() -> None:
    named = {f"{party.upper()}_URL" for party in PARTIES}
    named |= {f"APPROVER_{role.upper()}" for role in PEOPLE}

    assert named <= documented().keys()


def test_the_settings_of_bindings_that_tests_need_are_all_there_are() -> None:
    calls = [
        node
        for path in SOURCES
        for node in ast.walk(ast.parse(path.read_text("utf-8")))
        if isinstance(node, ast.Call)
    ]

    assert {name for call in calls for name in _bound_by(call)} == bound_settings().keys()


def test_the_example_for_a_machine_holds_settings_of_the_table() -> None:
    example = json.loads((ROOT / "local.settings.json.example").read_text("utf-8"))

    assert example["Values"].keys() <= documented().keys()
    assert {f"{party.upper()}_URL" for party in PARTIES} <= example["Values"].keys()


def test_the_table_says_which_numbers_are_usual() -> None:
    usual = usual_numbers()

    assert len(usual) > 5
    assert {name: documented()[name] for name in usual} == usual
