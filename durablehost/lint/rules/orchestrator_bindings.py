"""DUR003: bindings on orchestrators and entities."""

import ast
from collections.abc import Iterator

from durablehost.lint.app import App
from durablehost.lint.findings import Found
from durablehost.lint.rule import Example, Rule


def check(app: App) -> Iterator[Found]:
    for function, declared in app.declarations.by_function.items():
        if declared.kind == "activity":
            continue
        for decorator in function.definition.decorator_list:
            name = _binding(decorator)
            if name:
                says = (
                    f"{function.name} has the binding {name}. The host reads and writes bindings "
                    "again in each replay. Put it on an activity."
                )
                yield app.found(decorator, function, says)


def _binding(decorator: ast.expr) -> str:
    called = decorator.func if isinstance(decorator, ast.Call) else decorator
    name = called.attr if isinstance(called, ast.Attribute) else ""
    ends = ("_input", "_output", "_input_binding", "_output_binding")
    return name if name.endswith(ends) else ""


RULE = Rule(
    code="DUR003",
    name="orchestrator-bindings",
    sentence="An orchestrator or entity has another binding than its trigger.",
    why="""\
A binding does I/O: an input binding reads, an output binding writes, and a client calls the host.
In an orchestrator each replay does it again. Put the binding on an activity; an orchestrator
starts another one with `context.call_sub_orchestrator`.""",
    valid=[
        Example("""\
@app.activity_trigger(input_name="item")
@app.blob_input(arg_name="prices", path="prices/list.txt", connection="STORAGE")
def find_price(item, prices):
    return prices.read()


@app.orchestration_trigger(context_name="context")
def order(context):
    yield context.call_activity(find_price, "tea")
"""),
    ],
    invalid=[
        Example("""\
@app.orchestration_trigger(context_name="context")
@app.blob_input(arg_name="prices", path="prices/list.txt", connection="STORAGE")  # here
def order(context, prices):
    yield context.call_activity("ship", None)
"""),
    ],
    check=check,
)
