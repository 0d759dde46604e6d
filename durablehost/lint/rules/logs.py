"""DUR114: log lines that each replay repeats."""

import ast
from collections.abc import Iterator
from typing import Final

from durablehost.lint.app import App, Use
from durablehost.lint.findings import Edit, Found, insert
from durablehost.lint.rule import Example, Rule

_LEVELS: Final = (
    "critical",
    "debug",
    "error",
    "exception",
    "fatal",
    "info",
    "log",
    "warn",
    "warning",
)
_LOGGERS: Final = (
    "logging",
    "logging.getLogger()",
    "logging.LoggerAdapter()",
    "logging.Logger()",
    "loguru.logger",
    "structlog.get_logger()",
    "structlog.stdlib.get_logger()",
)


def _logs(use: Use) -> bool:
    logger, _, method = use.name.rpartition(".")
    return isinstance(use.node, ast.Call) and (
        use.name == "builtins.print" or (logger in _LOGGERS and method in _LEVELS)
    )


def _fix(app: App, use: Use) -> list[Edit]:
    """Put the statement under a condition, where it stands alone and a context is at hand."""
    statement = app.source.statement(use.node)
    context = app.context_in(use.node)
    if not isinstance(statement, ast.Expr) or statement.value is not use.node or not context:
        return []
    path = use.function.module.path
    first = use.function.module.lines[statement.lineno - 1]
    indent = first[: len(first) - len(first.lstrip())]
    last = use.function.module.lines[(statement.end_lineno or statement.lineno) - 1]
    rest = last.encode()[statement.end_col_offset :].strip()
    stands_alone = not first[: statement.col_offset].strip() and rest[:1] in (b"", b"#")
    if not stands_alone or _has_text_over_lines(statement):
        return []
    condition = f"if not {context}.is_replaying:\n{indent}    "
    edits = [insert(path, (statement.lineno, statement.col_offset), condition)]
    for line in range(statement.lineno + 1, (statement.end_lineno or statement.lineno) + 1):
        edits.append(insert(path, (line, 0), "    "))
    return edits


def _has_text_over_lines(statement: ast.stmt) -> bool:
    return any(
        isinstance(node, (ast.Constant, ast.JoinedStr)) and node.end_lineno != node.lineno
        for node in ast.walk(statement)
        if isinstance(node, ast.expr)
    )


def check(app: App) -> Iterator[Found]:
    for use in app.uses("orchestration"):
        if not _logs(use) or use.step.is_guarded:
            continue
        if app.reach.is_guarded(use.node, use.function):
            continue
        says = f"{app.says(use)} in every replay. Write it `if not context.is_replaying`."
        yield app.found(use.node, use.function, says, *_fix(app, use))


RULE = Rule(
    code="DUR114",
    name="logs",
    sentence="An orchestrator logs or prints without asking context.is_replaying.",
    why="""\
Each replay writes the line again: an orchestrator of ten steps writes its first line eleven
times, and the log shows work that did not happen. `context.is_replaying` is true while old events
are replayed.""",
    valid=[
        Example("""\
import logging

log = logging.getLogger(__name__)


def log_once(context, line):
    if not context.is_replaying:
        log.info(line)


@app.orchestration_trigger(context_name="context")
def order(context):
    log_once(context, "shipping")
    yield context.call_activity("ship", None)
"""),
    ],
    invalid=[
        Example(
            """\
import logging


@app.orchestration_trigger(context_name="context")
def order(context):
    logging.info("shipping %s", context.instance_id)  # here
    yield context.call_activity("ship", None)
""",
            fixed="""\
import logging


@app.orchestration_trigger(context_name="context")
def order(context):
    if not context.is_replaying:
        logging.info("shipping %s", context.instance_id)  # here
    yield context.call_activity("ship", None)
""",
        ),
    ],
    check=check,
)
