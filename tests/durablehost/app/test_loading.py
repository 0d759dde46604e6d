"""Loading an app from a folder or an object, and what is said where that fails."""

import os
import sys
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from traceback import StackSummary
from typing import Any

import azure.durable_functions as df
import pytest

from durablehost.app.functions import FunctionTable
from durablehost.app.import_failures import OF_2X, advice_on_import
from durablehost.app.loading import index_app, load_app
from durablehost.errors import AppDoesNotLoad

LoadText = Callable[..., FunctionTable]


def app_with_activity(function: Callable[..., Any]) -> df.DFApp:
    app = df.DFApp()
    app.activity_trigger(input_name="x")(function)
    return app


def test_a_filtered_table_does_not_change_the_original() -> None:
    def act(x): ...

    app = index_app(app_with_activity(act))
    changed = replace(app, functions=())

    assert (app.activity("act"), changed.activity("act")) == (app.functions[0], None)


def test_every_function_is_found_with_its_kind_and_durable_name(load: LoadText) -> None:
    table = load("""
@app.route(route="r")
@app.durable_client_input(client_name="client")
async def start(req, client): ...
@app.orchestration_trigger(context_name="context", orchestration="Long")
def orchestrator(context): ...
@app.function_name("renamed")
@app.activity_trigger(input_name="x")
def activity(x): ...
@app.entity_trigger(context_name="context", entity_name="Counter")
def entity(context): ...
@app.timer_trigger(schedule="0 * * * * *", arg_name="timer")
def tick(timer): ...
@app.queue_trigger(queue_name="q", connection="c", arg_name="msg")
def message(msg): ...
@app.blob_trigger(path="c/{name}", connection="c", arg_name="blob")
def file(blob): ...
@app.event_hub_message_trigger(event_hub_name="h", connection="c", arg_name="event")
def event(event): ...
""")

    assert [(f.name, f.kind, f.durable_name) for f in table.functions] == [
        ("start", "http", ""),
        ("orchestrator", "orchestration", "Long"),
        ("renamed", "activity", "renamed"),
        ("entity", "entity", "Counter"),
        ("tick", "timer", ""),
        ("message", "queue", ""),
        ("file", "blob", ""),
        ("event", "other", ""),
    ]
    assert table.orchestrator("LONG") is table.functions[1]
    assert table.functions[0].is_async
    assert table.functions[0].client_bindings[0]["name"] == "client"
    assert table.functions[0].trigger["authLevel"] == "FUNCTION"


def test_the_place_of_a_function_is_the_line_of_its_def_below_decorators_and_wrappers(
    load: LoadText,
) -> None:
    table = load("""
import functools
def twice(function):
    @functools.wraps(function)
    def wrapper(*args, **kwargs):
        return function(*args, **kwargs)
    return wrapper

@app.orchestration_trigger(context_name="context")
@twice
def orchestrator(context): ...
@app.route(route="r")
@app.durable_client_input(client_name="client")
async def start(req, client): ...
@app.entity_trigger(context_name="context")
def entity(context): ...
""")

    assert [str(function.place) for function in table.functions] == [
        "function_app.py:14",
        "function_app.py:17",
        "function_app.py:19",
    ]


def test_an_app_object_is_indexed_again_with_the_same_result() -> None:
    app = app_with_activity(lambda x: x)

    assert index_app(app) is index_app(app)


def test_an_app_whose_functions_somebody_listed_before_is_indexed_all_the_same() -> None:
    def act(x: Any) -> None: ...

    app = app_with_activity(act)
    app.get_functions()

    assert index_app(app).listed == ["act"]


def test_the_folder_of_the_app_is_current_and_first_on_the_path(load: LoadText) -> None:
    load('@app.route(route="r")\ndef hello(req): ...')

    assert Path.cwd().name == "app"
    assert sys.path[0] == str(Path.cwd())


def test_a_second_app_gets_its_own_modules_not_those_of_the_first(load: LoadText) -> None:
    text = (
        "import words\n@app.function_name(words.NAME)\n@app.route(route='r')\ndef hello(req): ..."
    )

    first = load(text, folder="one", words="NAME = 'one'")
    second = load(text, folder="two", words="NAME = 'two'")

    assert (first.listed, second.listed) == (["one"], ["two"])


def test_loading_a_folder_again_imports_nothing_again(load: LoadText) -> None:
    table = load('@app.route(route="r")\ndef hello(req): ...')

    assert load_app(Path.cwd()) is table


def test_all_functions_that_keep_an_app_from_loading_are_named_at_once(load: LoadText) -> None:
    with pytest.raises(AppDoesNotLoad) as refused:
        load("""
@app.activity_trigger(input_name="x")
def one(x: dict[str, int]): ...
@app.activity_trigger(input_name="x")
def sound(x: dict): ...
@app.activity_trigger(input_name="x")
def two(x, y): ...
""")

    assert [line for line in str(refused.value).splitlines() if line.startswith("  at")] == [
        "  at function_app.py:6",
        "  at function_app.py:10",
    ]


def test_an_error_in_a_library_is_placed_at_the_line_of_the_app(load: LoadText) -> None:
    with pytest.raises(AppDoesNotLoad) as refused:
        load("import words", words="import json\n\njson.loads('{')")

    assert str(refused.value).splitlines()[:2] == [
        "JSONDecodeError: Expecting property name enclosed in double quotes: "
        "line 1 column 2 (char 1)",
        "  at words.py:3",
    ]


def test_a_syntax_error_in_a_blueprint_is_placed_in_the_blueprint(load: LoadText) -> None:
    with pytest.raises(AppDoesNotLoad) as refused:
        load("import words", words="x = 1\nx ==== 1")

    assert str(refused.value).splitlines()[:3] == [
        "SyntaxError: invalid syntax (words.py, line 2)",
        "  at words.py:2",
        "  Correct this line: `x ==== 1`",
    ]


def test_sys_exit_at_import_is_an_app_that_does_not_load(load: LoadText) -> None:
    with pytest.raises(AppDoesNotLoad, match="^SystemExit: 3\n  at function_app.py:4"):
        load("raise SystemExit(3)")


def test_a_setting_that_is_missing_at_import_is_named(load: LoadText) -> None:
    with pytest.raises(AppDoesNotLoad, match='Put `"NOWHERE_SET": "..."` under `Values`'):
        load('import os\nos.environ["NOWHERE_SET"]')


def test_a_setting_is_named_though_another_failure_came_of_its_absence(load: LoadText) -> None:
    with pytest.raises(AppDoesNotLoad) as refused:
        load(
            "import os\ntry:\n    os.environ['NOWHERE_SET']\n"
            "except KeyError as e:\n    raise Exception(f'no configuration: {e}')"
        )

    assert str(refused.value).startswith("Exception: no configuration: 'NOWHERE_SET'")
    assert 'Put `"NOWHERE_SET": "..."` under `Values`' in str(refused.value)


def test_advice_ignores_a_suppressed_cause(load: LoadText) -> None:
    with pytest.raises(AppDoesNotLoad, match="Nothing of the app loads until this line"):
        load(
            "import os\ntry:\n    os.environ['NOWHERE_SET']\n"
            "except KeyError:\n    raise ValueError('closed on Sundays') from None"
        )


def test_a_module_in_a_folder_of_the_app_is_to_be_imported_through_it(
    load: LoadText, tmp_path: Path
) -> None:
    (tmp_path / "app" / "src" / "steps").mkdir(parents=True)
    (tmp_path / "app" / "function_app.py").write_text("from steps.first import bp")
    with pytest.raises(AppDoesNotLoad, match=r"`steps` is in the folder `src`.*`src\.steps`"):
        load_app(tmp_path / "app")


def test_a_folder_of_installed_packages_is_not_a_folder_of_the_app(
    load: LoadText, tmp_path: Path
) -> None:
    (tmp_path / "app" / "env" / "lib").mkdir(parents=True)
    (tmp_path / "app" / "env" / "pyvenv.cfg").touch()
    (tmp_path / "app" / "function_app.py").write_text("import lib.first")
    with pytest.raises(AppDoesNotLoad, match=r"requirements\.txt"):
        load_app(tmp_path / "app")


def test_the_advice_differs_for_a_missing_package_and_a_missing_module_of_the_app(
    load: LoadText,
) -> None:
    with pytest.raises(AppDoesNotLoad, match="requirements.txt"):
        load("import no_such_package", folder="one")
    (Path.cwd().parent / "two" / "steps").mkdir(parents=True)
    (Path.cwd().parent / "two" / "function_app.py").write_text("import steps.first")
    with pytest.raises(AppDoesNotLoad, match="`steps` is a folder of the app"):
        load_app(Path.cwd().parent / "two")


def refusal(folder: Path, source: str) -> str:
    """What is said of an app with this source."""
    folder.mkdir(exist_ok=True)
    (folder / "function_app.py").write_text(f"import azure.durable_functions as df\n{source}")
    with pytest.raises(AppDoesNotLoad) as refused:
        load_app(folder)
    return str(refused.value)


@pytest.mark.parametrize(
    ("file", "advised"),
    [
        ("requirements.txt", "Add its package to requirements.txt, and install it"),
        ("pyproject.toml", "Add its package to the dependencies in pyproject.toml"),
        (None, "Write its package into a requirements.txt"),
    ],
)
def test_the_advice_for_a_missing_package_names_the_file_that_the_app_has(
    load: LoadText, tmp_path: Path, file: str | None, advised: str
) -> None:
    folder = tmp_path / "app"
    folder.mkdir()
    if file is not None:
        (folder / file).touch()

    says = refusal(folder, "import no_such_package")

    assert advised in says
    assert (" -r requirements.txt`" in says) == (file != "pyproject.toml")


def test_a_package_that_imports_itself_by_name_is_to_be_moved_and_not_imported_through_its_folder(
    load: LoadText, tmp_path: Path
) -> None:
    package = tmp_path / "app" / "src" / "ledger"
    package.mkdir(parents=True)
    (package / "models.py").write_text("from ledger.other import x")

    says = refusal(tmp_path / "app", "import ledger.models")

    assert "move `ledger` there. Its own modules import `ledger`, too." in says
    assert "src.ledger" not in says


def test_a_failure_in_a_package_copied_into_the_app_names_the_line_of_function_app_too(
    load: LoadText, tmp_path: Path
) -> None:
    package = tmp_path / "app" / "copied"
    package.mkdir(parents=True)
    (package / "__init__.py").write_text('def connect():\n    raise RuntimeError("no key")\n')

    says = refusal(tmp_path / "app", "import copied\n\ncopied.connect()")

    assert says.splitlines()[1:3] == ["  at copied/__init__.py:2", "  run from function_app.py:4"]


@pytest.mark.parametrize(
    ("source", "line", "advised"),
    [
        ("x = df.DurableFunctionsClient", 2, "`df.DurableOrchestrationClient`"),
        ("from azure.durable_functions import RetryPolicy", 2, "`df.RetryOptions("),
        (
            """
app = df.DFApp()
@app.activity_trigger(input_name="x")
def act(x: "df.PurgeHistoryResult"): ...""",
            5,
            "`azure.durable_functions.models.PurgeHistoryResult`",
        ),
    ],
)
def test_code_for_version_2_of_the_sdk_is_told_what_version_1_has_instead(
    load: LoadText, tmp_path: Path, source: str, line: int, advised: str
) -> None:
    says = refusal(tmp_path / "app", source)

    assert f"  at function_app.py:{line}" in says
    assert advised in says


def test_the_package_below_version_2_of_the_sdk_is_not_to_be_installed(tmp_path: Path) -> None:
    missing = ModuleNotFoundError("No module named 'durabletask'", name="durabletask.task")

    advised = advice_on_import(missing, tmp_path, StackSummary())

    assert advised is not None
    assert advised.startswith("`durabletask` belongs to azure-functions-durable 2.x.")


def test_an_orchestrator_with_a_second_parameter_loads_with_a_warning(load: LoadText) -> None:
    table = load("""
@app.orchestration_trigger(context_name="context")
def flow(context, order): ...
@app.orchestration_trigger(context_name="context")
def sound(context, optional=None): ...
""")

    [warning] = table.warnings
    assert "flow takes a second parameter, `order`" in warning
    assert "write `order = context.get_input()`" in warning


def test_every_name_of_version_2_that_gets_advice_is_missing_in_this_sdk() -> None:
    assert [name for name in OF_2X if hasattr(df, name)] == []


def test_a_folder_without_function_app_says_what_is_missing(tmp_path: Path) -> None:
    with pytest.raises(AppDoesNotLoad, match="^there is no function_app.py in "):
        load_app(tmp_path)


def test_an_app_of_the_v1_model_is_recognised(tmp_path: Path) -> None:
    (tmp_path / "hello").mkdir()
    (tmp_path / "hello" / "function.json").write_text("{}")

    with pytest.raises(AppDoesNotLoad, match="v1 programming model"):
        load_app(tmp_path)


@pytest.mark.parametrize(
    ("text", "place", "advice"),
    [
        ("app2 = df.DFApp()", 4, "make `app2` a `df.Blueprint()`"),
        ("app2 = app", 4, "`app` and `app2` are two names for one app"),
        ("# none\nimport azure.functions as func\nbp = func.Blueprint()", 1, "is not an app"),
        ("# none", 1, "Write `app = df.DFApp()`"),
    ],
)
def test_none_or_two_apps_in_a_module_do_not_load(
    load: LoadText, text: str, place: int, advice: str
) -> None:
    with pytest.raises(AppDoesNotLoad) as refused:
        load(text)

    assert str(refused.value).splitlines()[1] == f"  at function_app.py:{place}"
    assert advice in str(refused.value)


def test_the_environment_is_left_as_it_was(load: LoadText) -> None:
    before = dict(os.environ)

    load('@app.route(route="r")\ndef hello(req): ...')

    assert dict(os.environ) == before
