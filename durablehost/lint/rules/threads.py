"""DUR110: threads and processes of Python."""

import ast

from durablehost.lint.app import App
from durablehost.lint.findings import Found
from durablehost.lint.rule import Example, Rule


def starts_threads(name: str, node: ast.expr) -> bool:
    if not isinstance(node, ast.Call):
        return False
    starts = ("concurrent.futures.", "multiprocessing.", "_thread.", "joblib.", "queue.")
    threading = name.startswith("threading.") and not name.startswith("threading.local")
    return threading or name.startswith(starts)


def check(app: App) -> list[Found]:
    instead = "The order in which threads end differs in each replay. Use activities in task_all."
    return list(app.forbidden(starts_threads, instead))


RULE = Rule(
    code="DUR110",
    name="threads",
    sentence="An orchestrator uses threads, processes or locks.",
    why="""\
Threads end in another order in each replay, and a lock may hold up all orchestrators of the
process. An orchestrator runs things at the same time with `context.task_all`, and needs no lock:
nothing else runs between two of its yields.""",
    valid=[
        Example("""\
@app.orchestration_trigger(context_name="context")
def order(context):
    yield context.task_all([context.call_activity("ship", n) for n in range(3)])
"""),
    ],
    invalid=[
        Example("""\
from concurrent.futures import ThreadPoolExecutor


@app.orchestration_trigger(context_name="context")
def order(context):
    with ThreadPoolExecutor() as pool:  # here
        weights = list(pool.map(len, ["tea", "coffee"]))  # here
    yield context.call_activity("ship", weights)
"""),
    ],
    check=check,
)
