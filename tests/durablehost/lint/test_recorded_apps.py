"""The linter finds what goes wrong in the recordings of the real host (`tests/conformance`)."""

import ast
from functools import cache
from pathlib import Path

import pytest

from durablehost.lint.linting import lint_folder
from durablehost.lint.options import Options
from tests.source import ROOT

# What the real host did is in docs/platform.md, by the names of these functions.
DURABLE = {
    "never_yielded": "DUR201",
    "yields_junk": "DUR203",
    "yields_list": "DUR203",
    "unknown_activity": "DUR501",
    "unknown_sub": "DUR501",
    "unknown_entity": "DUR502",
    "bad_result": "DUR505",
    "nondeterministic": "DUR113",
    "any_timer_wins": "DUR207",
    "uncancelled_timer": "DUR207",
    "continue_with_pending": "DUR207",
    "timer_naive": "DUR401",
    "Counter": "DUR602",
    "Eager": "DUR601",
}
MORE = {
    "returns_a_set": "DUR505",
    "raises_after_continue": "DUR305",
    "retry_races_timer_then_all": "DUR208",
}


@cache
def found_in(app: str) -> set[tuple[str, str]]:
    """The functions of a recorded app in which something is found, and the codes."""
    folder = ROOT / "tests" / "conformance" / app
    spans = [
        (node.name, node.lineno, node.end_lineno or node.lineno)
        for node in ast.parse((folder / "function_app.py").read_text("utf-8")).body
        if isinstance(node, (ast.FunctionDef, ast.AsyncFunctionDef))
    ]
    linted = lint_folder(Path(folder), Options(), loads=False)
    return {
        (name, finding.code)
        for finding in linted.findings
        for name, first, last in spans
        if first <= finding.line <= last
    }


@pytest.mark.parametrize(("name", "code"), DURABLE.items())
def test_each_problem_in_the_recordings_is_found(name, code):
    assert (name, code) in found_in("durable")


@pytest.mark.parametrize(("name", "code"), MORE.items())
def test_each_problem_in_the_other_recordings_is_found(name, code):
    assert (name, code) in found_in("more")
