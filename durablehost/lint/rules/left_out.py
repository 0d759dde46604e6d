"""DUR002: functions that the host leaves out, or that fail at every call."""

import ast
from collections.abc import Iterator

from durablehost.lint.app import App
from durablehost.lint.findings import Found
from durablehost.lint.rule import Example, Rule


def check(app: App) -> Iterator[Found]:
    for complaint in app.loading.left_out:
        yield Found(ast.Pass(lineno=complaint.line), complaint.path, complaint.message)


RULE = Rule(
    code="DUR002",
    name="left-out",
    sentence="The host leaves a function out, or the function fails at every call.",
    why="""\
The host loads the other functions of the app, so the app seems to work. An orchestrator that
calls an activity which was left out stays Running for ever. The message is that of `durablehost
start`.""",
    valid=[
        Example("""\
@app.activity_trigger(input_name="item")
def find_price(item): ...
"""),
    ],
    invalid=[
        Example("""\
@app.activity_trigger(input_name="item_name")
def find_price(item_name): ...  # here
"""),
    ],
    check=check,
    loads=True,
)
