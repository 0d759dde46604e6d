"""DUR901: comments that switch a rule off without a reason."""

import ast
import re
from collections.abc import Iterator

from durablehost.lint.app import App
from durablehost.lint.findings import Found
from durablehost.lint.ignoring import ignores_of
from durablehost.lint.rule import Example, Rule


def check(app: App) -> Iterator[Found]:
    for module in app.source.modules.values():
        for ignore in ignores_of(module):
            unknown = [code for code in ignore.codes if not re.fullmatch(r"DUR\d{3}", code)]
            if not ignore.codes or unknown:
                says = "Name the rules: `# durable: ignore[DUR101] reason`."
            elif not ignore.reason:
                says = "Say why: `# durable: ignore[DUR101] reason`."
            else:
                continue
            yield Found(ast.Pass(lineno=ignore.comment_line), module.path, says)


RULE = Rule(
    code="DUR901",
    name="ignores",
    sentence="A comment switches a rule off, and does not say which one or why.",
    why="""\
Whoever reads the code next has to know whether the reason still holds. A comment without a code
or a reason switches nothing off. A comment on a line of its own is for the next line.""",
    valid=[
        Example("""\
from datetime import datetime


@app.orchestration_trigger(context_name="context")
def order(context):
    context.set_custom_status(str(datetime.now()))  # durable: ignore[DUR101] for people only
    yield context.call_activity("ship", None)
"""),
    ],
    invalid=[
        Example("""\
@app.orchestration_trigger(context_name="context")
def order(context):
    yield context.call_activity("ship", None)  # durable: ignore[DUR101]
    # above: here
    yield context.call_activity("ship", None)  # durable: ignore because of the host # here
"""),
    ],
    check=check,
)
