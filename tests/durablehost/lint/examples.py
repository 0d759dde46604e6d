"""Lints pieces of code as apps."""

from durablehost.lint.linting import Linted, lint_source
from durablehost.lint.options import Options
from durablehost.lint.pages import BEFORE
from durablehost.lint.source import read_texts

# What the examples call without showing it.
APP = """

@app.activity_trigger(input_name="order")
def ship(order): ...


@app.activity_trigger(input_name="item")
def price(item): ...


@app.activity_trigger(input_name="item")
def wrap(item): ...
"""


def lint_text(code: str, options: Options | None = None, **modules: str) -> Linted:
    """Lint an app that is this code, after the imports and the app object, and some modules."""
    source = read_texts({"function_app": BEFORE + code + APP, **modules})
    return lint_source(source, options or Options())


def marked_lines(code: str) -> set[int]:
    """The lines that are marked `# here`, in the app that `lint_text` makes of the code."""
    lines = (BEFORE + code).split("\n")
    above = {number - 1 for number, line in enumerate(lines, 1) if line.endswith("above: here")}
    return above | {
        number
        for number, line in enumerate(lines, 1)
        if line.endswith("# here") and not line.endswith("above: here")
    }
