"""DUR004: annotations of durable clients on Python 3.14."""

import ast
from collections.abc import Iterator

from durablehost.lint.app import App
from durablehost.lint.declared import argument
from durablehost.lint.findings import Found
from durablehost.lint.meaning import External
from durablehost.lint.rule import Example, Rule


def check(app: App) -> Iterator[Found]:
    for function in app.source.functions:
        for decorator in function.definition.decorator_list:
            if not isinstance(decorator, ast.Call) or not isinstance(decorator.func, ast.Attribute):
                continue
            if decorator.func.attr != "durable_client_input":
                continue
            name = app.text(argument(decorator, 0, "client_name"), function.outer or function)
            for parameter in function.parameters:
                annotation = parameter.annotation
                if parameter.arg != name or annotation is None:
                    continue
                if app.meaning.of(annotation, function.outer or function) != External(
                    "builtins.str"
                ):
                    says = (
                        f"{function.name} annotates its client as {ast.unparse(annotation)}. On "
                        f"Python 3.14 no function of the app then loads. Write `{name}: str`."
                    )
                    yield app.found(parameter, function, says)


RULE = Rule(
    code="DUR004",
    name="client-annotations",
    sentence="The annotation of a durable client keeps the app from loading on Python 3.14.",
    why="""\
The SDK replaces the annotation of the client by `str` when it decorates the function. Python 3.14
evaluates annotations later, so the worker sees the one in the source and refuses every function
of the app ([issue 596](https://github.com/Azure/azure-functions-durable-python/issues/596)). The
rule applies from Python 3.14 on; `python = "3.14"` in the settings switches it on earlier.""",
    valid=[
        Example("""\
@app.route(route="orders")
@app.durable_client_input(client_name="client")
async def start(req, client: str):
    await client.start_new("order")


@app.orchestration_trigger(context_name="context")
def order(context):
    yield context.call_activity("ship", None)
"""),
    ],
    invalid=[
        Example("""\
@app.route(route="orders")
@app.durable_client_input(client_name="client")
async def start(req, client: df.DurableOrchestrationClient):  # here
    await client.start_new("order")


@app.orchestration_trigger(context_name="context")
def order(context):
    yield context.call_activity("ship", None)
"""),
    ],
    check=check,
    python=(3, 14),
)
