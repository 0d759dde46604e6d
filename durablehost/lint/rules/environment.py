"""DUR106: environment variables and the machine."""

import ast
from typing import Final

from durablehost.lint.app import App
from durablehost.lint.effects import MAY_DIFFER
from durablehost.lint.findings import Found
from durablehost.lint.rule import Example, Rule

_READ: Final = frozenset(
    {
        "decouple.config",
        "dotenv.dotenv_values",
        "dotenv.load_dotenv",
        "getpass.getuser",
        "locale.getlocale",
        "os.cpu_count",
        "os.environ",
        "os.environb",
        "os.getcwd",
        "os.getenv",
        "os.getlogin",
        "os.getpid",
        "os.getppid",
        "os.uname",
        "socket.getfqdn",
        "socket.gethostname",
        "sys.argv",
        "sys.version",
        "sys.version_info",
    }
)


def _reads(name: str, node: ast.expr) -> bool:
    return name in _READ or name.startswith(("os.environ.", "platform."))


def check(app: App) -> list[Found]:
    instead = "Read it where the instance is started, and pass it in the input, or in an activity."
    return list(app.replay_unsafe(_reads, instead, differs=MAY_DIFFER))


RULE = Rule(
    code="DUR106",
    name="environment",
    sentence="An orchestrator reads an environment variable or a property of the machine.",
    why="""\
A setting can change while an instance runs, and a replay may run on another machine. Then the
same instance decides once with the old value and once with the new one. Read the setting in the
HTTP function that starts the instance, and pass it in the input; or read it in an activity.
A variable of a module that holds a setting is reported where it decides which task is
scheduled.""",
    valid=[
        Example("""\
@app.orchestration_trigger(context_name="context")
def order(context):
    if context.get_input()["express"]:
        yield context.call_activity("ship", None)
"""),
    ],
    invalid=[
        Example("""\
import os


@app.orchestration_trigger(context_name="context")
def order(context):
    if os.environ.get("EXPRESS") == "1":  # here
        yield context.call_activity("ship", os.environ["REGION"])  # here
"""),
        Example("""\
import os

BATCH = int(os.environ.get("BATCH", "10"))


@app.orchestration_trigger(context_name="context")
def order(context):
    items = context.get_input()
    for first in range(0, len(items), BATCH):  # here
        yield context.call_activity("ship", items[first : first + BATCH])
"""),
    ],
    check=check,
)
