"""DUR115: tasks that only the first run creates."""

from collections.abc import Iterator

from durablehost.lint.app import App
from durablehost.lint.findings import Found
from durablehost.lint.reach import TASK_METHODS
from durablehost.lint.rule import Example, Rule
from durablehost.lint.tasks import method_of


def check(app: App) -> Iterator[Found]:
    for step in app.replayed:
        for call in app.in_context(step.function):
            method = method_of(call)
            if method not in TASK_METHODS | {"signal_entity", "continue_as_new", "new_uuid"}:
                continue
            if step.is_guarded or app.reach.is_guarded(call, step.function):
                says = (
                    f"{step.path} calls {method} only while it is not replaying. The next replay "
                    "leaves it out, and the host fails the instance. Call it always."
                )
                yield app.found(call, step.function, says)


RULE = Rule(
    code="DUR115",
    name="live-tasks",
    sentence="An orchestrator creates a task only while it is not replaying.",
    why="""\
The first run schedules the task, and the next replay does not: the history then has a task that
the code did not ask for, and the host fails the instance with "Non-Deterministic workflow
detected". Use `context.is_replaying` for log lines only.""",
    valid=[
        Example("""\
@app.orchestration_trigger(context_name="context")
def order(context):
    if not context.is_replaying:
        print("shipping")
    yield context.call_activity("ship", None)
"""),
    ],
    invalid=[
        Example("""\
@app.orchestration_trigger(context_name="context")
def order(context):
    if not context.is_replaying:
        yield context.call_activity("ship", None)  # here
"""),
    ],
    check=check,
)
