"""DUR403: retries that cannot work."""

import ast
from collections.abc import Iterator

from durablehost.lint.app import App
from durablehost.lint.declared import argument
from durablehost.lint.findings import Found
from durablehost.lint.meaning import External
from durablehost.lint.rule import Example, Rule


def check(app: App) -> Iterator[Found]:
    for module in app.source.modules.values():
        if not any("RetryOptions" in line for line in module.lines):
            continue
        scopes = [module, *(each for each in app.source.functions if each.module is module)]
        for scope in scopes:
            for node in scope.nodes:
                if not isinstance(node, ast.Call):
                    continue
                if app.meaning.of(node.func, scope) != External(
                    "azure.durable_functions.RetryOptions"
                ):
                    continue
                pause = argument(node, 0, "first_retry_interval_in_milliseconds")
                attempts = argument(node, 1, "max_number_of_attempts")
                tries = app.constants.of(attempts, scope) if attempts is not None else None
                first = app.constants.of(pause, scope) if pause is not None else None
                if isinstance(tries, int) and tries < 1:
                    says = (
                        f"max_number_of_attempts is {tries}: the activity is never scheduled, "
                        "and the "
                        "instance stays Running for ever. It counts the first attempt, too."
                    )
                    yield app.found(node, scope, says)
                if isinstance(first, (int, float)) and first < 1000:
                    says = (
                        f"first_retry_interval_in_milliseconds is {first}, under one second: the "
                        "host "
                        "cuts times to whole seconds, so the next attempt starts at once."
                    )
                    yield app.found(node, scope, says)


RULE = Rule(
    code="DUR403",
    name="retry-options",
    sentence="A retry has no attempts, or a pause of less than one second.",
    why="""\
`max_number_of_attempts` counts the first attempt: with zero, the activity is never scheduled and
the instance stays Running for ever. The pause is in milliseconds and is a durable timer of whole
seconds, so that one of 500 is none.""",
    valid=[
        Example("""\
RETRY = df.RetryOptions(first_retry_interval_in_milliseconds=5000, max_number_of_attempts=3)


@app.orchestration_trigger(context_name="context")
def order(context):
    yield context.call_activity_with_retry("ship", RETRY, None)
"""),
    ],
    invalid=[
        Example("""\
@app.orchestration_trigger(context_name="context")
def order(context):
    once = df.RetryOptions(5000, 0)  # here
    yield context.call_activity_with_retry("ship", once, None)
    often = df.RetryOptions(5, 3)  # here
    yield context.call_activity_with_retry("ship", often, None)
"""),
    ],
    check=check,
)
