"""DUR001: apps of which no function loads."""

import ast
from collections.abc import Iterator

from durablehost.lint.app import App
from durablehost.lint.findings import Found
from durablehost.lint.rule import Example, Rule


def check(app: App) -> Iterator[Found]:
    for complaint in app.loading.refused:
        yield Found(ast.Pass(lineno=complaint.line), complaint.path, complaint.message)
    if not app.loading.refused:
        for path, error in app.source.failures:
            message = f"SyntaxError: {error.msg}. No function of the app loads."
            yield Found(ast.Pass(lineno=error.lineno or 1), path, message)


RULE = Rule(
    code="DUR001",
    name="does-not-load",
    sentence="On Azure no function of the app loads.",
    why="""\
One function that the Python worker refuses keeps all functions of the app from loading: it
deploys and starts, and every route answers 404. The message is that of `durablehost start` ([what
Azure refuses](../platform.md)).""",
    valid=[
        Example("""\
@app.activity_trigger(input_name="item")
def find_price(item: dict): ...
"""),
    ],
    invalid=[
        Example("""\
@app.activity_trigger(input_name="item")
def find_price(item: dict[str, int]): ...  # here
"""),
    ],
    check=check,
    loads=True,
)
