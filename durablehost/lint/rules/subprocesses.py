"""DUR111: other programs."""

import ast
from typing import Final

from durablehost.lint.app import App
from durablehost.lint.findings import Found
from durablehost.lint.rule import Example, Rule

_RUNS: Final = frozenset({"os.system", "os.popen", "os.fork", "os.forkpty", "os.posix_spawn"})


def runs_programs(name: str, node: ast.expr) -> bool:
    if not isinstance(node, ast.Call):
        return False
    return name in _RUNS or name.startswith(("subprocess.", "os.exec", "os.spawn"))


def check(app: App) -> list[Found]:
    return list(app.forbidden(runs_programs, "Each replay runs it again. Run it in an activity."))


RULE = Rule(
    code="DUR111",
    name="subprocesses",
    sentence="An orchestrator runs another program.",
    why="""\
Each replay runs the program again, and all orchestrators of the process wait for it. Run programs
in activities.""",
    valid=[
        Example("""\
import subprocess


@app.activity_trigger(input_name="label")
def print_label(label):
    return subprocess.run(["lp", label], check=True).returncode


@app.orchestration_trigger(context_name="context")
def order(context):
    yield context.call_activity(print_label, "label.pdf")
"""),
    ],
    invalid=[
        Example("""\
import subprocess


@app.orchestration_trigger(context_name="context")
def order(context):
    subprocess.run(["lp", "label.pdf"], check=True)  # here
    yield context.call_activity("ship", None)
"""),
    ],
    check=check,
)
