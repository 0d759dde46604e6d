"""Which functions of an app load, serve and work, and what is said of the others."""

import typing
from collections.abc import Callable
from typing import Any, NewType, TypedDict

import azure.durable_functions as df
import azure.functions as func
import pytest

from durablehost.app.functions import FunctionTable
from durablehost.app.loading import index_app
from durablehost.errors import AppDoesNotLoad

LoadText = Callable[..., FunctionTable]
Number = NewType("Number", str)


class Order(TypedDict):
    id: str


def app_with_activity(function: Callable[..., Any]) -> df.DFApp:
    app = df.DFApp()
    app.activity_trigger(input_name="x")(function)
    return app


def refusal(app: func.FunctionRegister) -> str:
    with pytest.raises(AppDoesNotLoad) as refused:
        index_app(app)
    return str(refused.value)


def test_the_first_by_name_of_two_functions_on_one_route_serves(load: LoadText) -> None:
    table = load("""
@app.route(route="/Same/")
def zebra(req): ...
@app.route(route="same", methods=["GET"])
def aardvark(req): ...
""")

    assert [function.name for function in table.functions] == ["aardvark"]
    assert [left_out.name for left_out in table.left_out] == ["zebra"]
    assert "conflicts with the route defined by function 'aardvark'" in table.left_out[0].says
    assert table.listed == ["aardvark", "zebra"]


def test_functions_on_one_route_with_other_methods_all_serve(load: LoadText) -> None:
    table = load("""
@app.route(route="same", methods=["GET"])
def get(req): ...
@app.route(route="same", methods=["POST", "PUT"])
def post(req): ...
""")

    assert table.left_out == ()


def test_a_route_in_the_hosts_own_space_is_left_out(load: LoadText) -> None:
    table = load('@app.route(route="admin/users")\ndef users(req): ...')

    assert "conflicts with one or more built in routes" in table.left_out[0].says


def test_an_activity_that_was_not_loaded_is_found_by_the_name_its_callers_use(
    load: LoadText,
) -> None:
    table = load('@app.activity_trigger(input_name="my_x", activity="Pay")\ndef act(my_x): ...')

    assert table.activity("pay") is None
    missing = table.missing("activity", "PAY")
    assert missing is not None
    assert 'Write `input_name="myX"`' in missing.advice
    assert table.missing("orchestration", "pay") is None


def test_a_schedule_may_come_from_a_setting(
    load: LoadText, monkeypatch: pytest.MonkeyPatch
) -> None:
    text = "@app.timer_trigger(schedule='%WHEN%', arg_name='timer')\ndef tick(timer): ..."
    monkeypatch.setenv("WHEN", "0 0 5 * * *")
    resolved = load(text, folder="one")
    monkeypatch.delenv("WHEN")
    unresolved = load(text, folder="two")

    assert resolved.left_out == ()
    assert "'%WHEN%' does not resolve to a value" in unresolved.left_out[0].says
    assert '`"WHEN": "..."`' in unresolved.left_out[0].advice


@pytest.mark.parametrize(
    "binding",
    [
        'durable_client_input(client_name="other", task_hub="%WHERE%")',
        'queue_output(arg_name="other", queue_name="%WHERE%", connection="")',
        'blob_output(arg_name="other", path="c/%WHERE%", connection="")',
        'blob_input(arg_name="other", path="c/b", connection="%WHERE%")',
    ],
)
def test_a_binding_that_names_a_setting_which_is_not_there_leaves_its_function_out(
    load: LoadText, binding: str
) -> None:
    table = load(f"""
@app.{binding}
@app.route(route="r")
async def hello(req: func.HttpRequest, other) -> str: ...
""")

    [left_out] = table.left_out
    assert "'%WHERE%' does not resolve to a value" in left_out.says
    assert '`"WHERE": "..."`' in left_out.advice


def test_a_durable_name_with_an_at_sign_is_left_out_for_an_orchestrator(load: LoadText) -> None:
    table = load("""
@app.orchestration_trigger(context_name="context", orchestration="@o")
def o(context): ...
""")

    assert "Orchestration names must not start with @." in table.left_out[0].says


@pytest.mark.parametrize(
    ("annotation", "advice"),
    [
        (dict[str, int], "`x: dict`, or a TypedDict (`class X(TypedDict): ...`)"),
        (list[int], "`x: list`, or no annotation"),
        (Order | None, "`x: Order`, or no annotation. `None` still reaches `x`"),
        (list[str] | None, "`x: list`, or no annotation. `None`"),
        (int | str, "`x` without an annotation"),
        (typing.Tuple[int, str], "`x: list`, or no annotation"),  # noqa: UP006 - what apps write
        (Number, "`x: str`, or no annotation"),
    ],
)
def test_the_advice_names_the_nearest_class(annotation: object, advice: str) -> None:
    def act(x: object) -> None: ...

    act.__annotations__["x"] = annotation

    assert advice in refusal(app_with_activity(act))


def test_the_annotation_of_a_client_that_the_sdk_has_not_replaced_is_explained() -> None:
    async def start(req: func.HttpRequest, client: str) -> str:
        return ""

    app = df.DFApp()
    declared: Any = app.route(route="r")(app.durable_client_input(client_name="client")(start))
    # Python 3.14 evaluates annotations so late that the SDK replaces nothing.
    handler = declared._function.get_user_function()
    handler.__annotations__["client"] = df.DurableOrchestrationClient

    assert "Write `client: str`: on Python 3.14" in refusal(app)


def test_a_name_known_to_the_type_checker_only_keeps_the_app_from_loading() -> None:
    def act(x: "OnlyForTheTypeChecker") -> None: ...  # type: ignore[name-defined] # noqa: F821

    said = refusal(app_with_activity(act))

    assert said.startswith("NameError: name 'OnlyForTheTypeChecker' is not defined")
    assert "`if TYPE_CHECKING:`" in said


@pytest.mark.parametrize(
    ("text", "advice"),
    [
        (
            '@app.route(route="items/{id:int}")\ndef get(req, id): ...',
            '`id = req.route_params["id"]`',
        ),
        ('@app.route(route="items")\ndef get(req, page=1): ...', '`page = req.params["page"]`'),
        (
            '@app.route(route="c")\nasync def start(req, my_client): ...',
            '`@app.durable_client_input(client_name="myClient")`',
        ),
        (
            '@app.activity_trigger(input_name="order")\ndef act(invoice): ...',
            'says `input_name="order"`, the function says `invoice`',
        ),
        (
            '@app.activity_trigger(input_name="x")\ndef act(x, *rest): ...',
            "Remove the `*` and `**` parameters",
        ),
        (
            '@app.activity_trigger(input_name="x")\n@(lambda f: lambda *a, **k: f(*a, **k))\n'
            "def act(x): ...",
            "`@functools.wraps(function)`",
        ),
        ('@app.activity_trigger(input_name="x")\ndef act(): ...', "a parameter `x`"),
        ('@app.route(route="c")\ndef c(req, context: dict): ...', "`context: func.Context`"),
        ("@app.queue_trigger('m', 'q', 'c')\ndef c(m: dict): ...", "`m: func.QueueMessage`"),
        (
            "@app.event_hub_message_trigger('e', 'c', 'h')\ndef c(e: list): ...",
            "`e: func.EventHubEvent`, or no annotation",
        ),
        (
            '@app.queue_output(arg_name="out", queue_name="q", connection="c")\n'
            '@app.route(route="c")\ndef c(req, out: str): ...',
            "`out: func.Out[str]`",
        ),
        (
            '@app.queue_output(arg_name="out", queue_name="q", connection="c")\n'
            '@app.route(route="c")\ndef c(req, out: func.Out[list]): ...',
            "Write `out: func.Out[str]`, or `out: func.Out[typing.List[str]]` for several.",
        ),
    ],
)
def test_the_advice_says_what_to_write(load: LoadText, text: str, advice: str) -> None:
    with pytest.raises(AppDoesNotLoad) as refused:
        load(text)

    assert advice in str(refused.value)


def test_output_bindings_and_the_hosts_context_are_parameters_that_load(load: LoadText) -> None:
    table = load("""
@app.table_output(arg_name="out", table_name="t", connection="c")
@app.route(route="r")
def hello(req: func.HttpRequest, out: func.Out[str], context: func.Context) -> str: ...
""")

    assert table.functions[0].takes_context
    assert [binding["name"] for binding in table.functions[0].unserved_bindings] == ["out"]


@pytest.mark.parametrize(
    ("text", "warning"),
    [
        (
            '@app.orchestration_trigger(context_name="context")\nasync def work(context): ...',
            "work is an async orchestration function",
        ),
        (
            '@app.route(route="r")\n@app.durable_client_input(client_name="client")\n'
            "def start(req, client): ...",
            "start has a durable client but is not async",
        ),
    ],
)
def test_a_function_that_loads_but_fails_at_every_call_has_a_warning(
    load: LoadText, text: str, warning: str
) -> None:
    table = load(text)

    assert len(table.functions) == 1
    assert warning in table.warnings[0]
    assert table.warnings[0].startswith("function_app.py:")


def test_two_functions_of_one_name_are_both_placed(load: LoadText) -> None:
    with pytest.raises(AppDoesNotLoad) as refused:
        load(
            "import words\napp.register_functions(words.bp)\n"
            '@app.activity_trigger(input_name="x")\ndef pay(x): ...',
            words="import azure.durable_functions as df\nbp = df.Blueprint()\n"
            '@bp.activity_trigger(input_name="x")\ndef pay(x): ...',
        )

    assert "  at function_app.py:7\n  `pay` is already defined at words.py:4." in str(refused.value)


_LIBRARY = """
import functools
def logged(function):
    @functools.wraps(function)
    async def outer(*arguments, **named): return await function(*arguments, **named)
    return outer
def checked(function):
    async def outer(req, **named): return await function(req, **named)
    outer.__name__, outer.__module__ = function.__name__, function.__module__
    return outer
"""


def test_a_decorator_that_separates_a_trigger_from_its_function_is_named(load: LoadText) -> None:
    with pytest.raises(AppDoesNotLoad) as refused:
        load(
            'from words import logged\n@app.route(route="r")\n@logged\n'
            '@app.durable_client_input(client_name="client")\nasync def start(req, client): ...',
            words="#" + _LIBRARY,
        )

    assert "Function start does not have a trigger" in str(refused.value)
    assert (
        "  at function_app.py:8\n"
        "  `@logged` is between `@app.route` and `@app.durable_client_input`, so the SDK sees two "
        "functions: write decorators that do not belong to `app` directly above `def`."
    ) in str(refused.value)


def test_decorators_that_part_a_client_from_its_function_are_named(load: LoadText) -> None:
    with pytest.raises(AppDoesNotLoad) as refused:
        load(
            "from words import passing\n@app.function_name('go')\n@passing\n@passing()\n"
            '@app.route(route="r")\nasync def start(req, body): ...',
            words="#\ndef passing(function=None):\n"
            "    return passing if function is None else function",
        )

    assert "declared in Python but not in function.json: {'body'}" in str(refused.value)
    assert "`@passing` and `@passing` are between `@app.function_name` and `@app.route`" in str(
        refused.value
    )


def test_a_function_behind_a_wrapper_that_hides_it_is_placed_in_the_app(load: LoadText) -> None:
    with pytest.raises(AppDoesNotLoad) as refused:
        load(
            'from words import checked\n@app.durable_client_input(client_name="client")\n'
            "@checked\nasync def start(req, client): ...",
            words="#" + _LIBRARY,
        )

    assert "  at function_app.py:7\n  Give it a trigger" in str(refused.value)


def test_the_advice_for_a_hidden_parameter_does_not_ask_to_add_it(load: LoadText) -> None:
    with pytest.raises(AppDoesNotLoad) as refused:
        load(
            'from words import plain\n@app.route(route="r")\n'
            '@app.durable_client_input(client_name="client")\n@plain\n'
            "async def start(req, client): ...",
            words="#\ndef plain(function):\n    async def outer(req): return await function(req)\n"
            "    outer.__name__, outer.__module__ = function.__name__, function.__module__\n"
            "    return outer",
        )

    assert "declared in function.json but not in Python: {'client'}" in str(refused.value)
    assert "`start` has a parameter `client`, and a decorator hides it" in str(refused.value)


def test_decorators_of_two_objects_on_one_function_are_reported(load: LoadText) -> None:
    with pytest.raises(AppDoesNotLoad) as refused:
        load("""
bp = df.Blueprint()
@bp.activity_trigger(input_name="x")
def act(x): ...
@bp.durable_client_input(client_name="client")
@app.route(route="r")
async def start(req, client): ...
app.register_functions(bp)
""")

    [start, act, _] = str(refused.value).split("\n\n")
    assert "load the start function" in start
    assert "belong to two objects, `bp` and `app`" in start
    assert "use `@app.` for all of them, with the trigger on top" in start
    assert "load the act function" in act
    assert "`act` declares no client" in act


def test_a_client_decorator_above_the_trigger_of_a_plain_app_must_be_moved_below(
    load: LoadText,
) -> None:
    with pytest.raises(AppDoesNotLoad) as refused:
        load("""\
app = func.FunctionApp()
@app.durable_client_input(client_name="client")
@app.route(route="r")
async def start(req, client): ...
""")

    assert "write it below `@app.route`, directly above `def`, or make `app` a `df.DFApp()`" in str(
        refused.value
    )


def test_a_decorator_of_a_blueprint_that_has_no_function_yet_is_explained(load: LoadText) -> None:
    with pytest.raises(AppDoesNotLoad, match="pop from empty list\n.*:5\n.*use one object"):
        load("""bp = df.Blueprint()
@bp.durable_client_input(client_name="client")
@app.route(route="r")
async def start(req, client): ...
""")
