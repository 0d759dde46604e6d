"""`durablehost lint`: what it prints, and how it ends."""

import json
import logging
import tomllib
from pathlib import Path

import pytest

from durablehost.__main__ import main
from durablehost.lint.pages import BEFORE
from tests.durablehost.lint.examples import APP
from tests.source import ROOT

READS_CLOCK = """\
from datetime import datetime


@app.orchestration_trigger(context_name="context")
def order(context):
    if datetime.now().hour < 12:
        yield context.call_activity("ship", None)
"""
YIELDS_LIST = """\
@app.orchestration_trigger(context_name="context")
def order(context):
    yield [context.call_activity("ship", None)]
"""


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    return write(tmp_path / "app", READS_CLOCK)


def write(folder: Path, code: str) -> Path:
    folder.mkdir(exist_ok=True)
    (folder / "function_app.py").write_text(BEFORE + code + APP, "utf-8")
    return folder


def test_a_finding_is_a_line_and_the_exit_code_is_1(folder, capsys):
    code = main(["lint", str(folder), "--no-load"])

    printed = capsys.readouterr().out
    assert code == 1
    assert printed.startswith(f"{folder / 'function_app.py'}:11: DUR101 order calls datetime.")
    assert "changes which task is scheduled" in printed
    assert printed.endswith("1 finding. `--explain CODE` explains a rule.\n")


def test_an_app_that_keeps_the_rules_ends_with_0(folder, capsys):
    write(folder, READS_CLOCK.replace("datetime.now()", "context.current_utc_datetime"))

    assert main(["lint", str(folder)]) == 0
    assert capsys.readouterr().out == "0 findings.\n"


def test_json_is_a_list_of_objects(folder, capsys):
    main(["lint", str(folder), "--no-load", "--format", "json"])

    [finding] = json.loads(capsys.readouterr().out)
    assert finding == {
        "file": (folder / "function_app.py").as_posix(),
        "line": 11,
        "code": "DUR101",
        "message": finding["message"],
    }


def test_json_of_an_app_that_keeps_the_rules_is_an_empty_list(folder, capsys):
    main(["lint", str(folder), "--no-load", "--ignore", "DUR1", "--format", "json"])

    assert json.loads(capsys.readouterr().out) == []


def test_github_gets_annotations(folder, capsys):
    write(folder, "import no_such_package\n" + READS_CLOCK)

    main(["lint", str(folder), "--notes", "--format", "github"])

    finding, note = capsys.readouterr().out.splitlines()
    file = (folder / "function_app.py").as_posix()
    assert finding.startswith(f"::error file={file},line=12,title=DUR101::order calls")
    assert note.startswith(f"::notice file={file},line=1,title=note::The app was not loaded")


def test_fix_corrects_the_file_and_ends_with_0(folder, capsys):
    write(folder, YIELDS_LIST)

    assert main(["lint", str(folder), "--no-load", "--fix"]) == 0
    assert 'yield context.task_all([context.call_activity("ship", None)])' in (
        folder / "function_app.py"
    ).read_text("utf-8")
    assert capsys.readouterr().out == "0 findings, 1 corrected.\n"


@pytest.mark.parametrize(
    ("encoding", "newline"), [("latin-1", "\n"), ("utf-8-sig", "\n"), ("utf-8", "\r\n")]
)
def test_fix_keeps_the_encoding_and_the_ends_of_the_lines(folder, capsys, encoding, newline):
    cookie = "# coding: latin-1\n" if encoding == "latin-1" else ""
    logs = '    print("é")\n    yield context.call_activity("ship", "é")\n'
    text = cookie + BEFORE + YIELDS_LIST.splitlines(keepends=True)[0] + "def order(context):\n"
    file = folder / "function_app.py"
    file.write_bytes((text + logs + APP).replace("\n", newline).encode(encoding))

    main(["lint", str(folder), "--no-load", "--fix"])

    fixed = logs.replace("    print", "    if not context.is_replaying:\n        print")
    assert file.read_bytes() == (text + fixed + APP).replace("\n", newline).encode(encoding)


def test_fix_does_not_put_a_second_statement_of_a_line_under_its_condition(folder, capsys):
    write(
        folder,
        YIELDS_LIST.replace("yield [", 'print("x"); yield context.task_all([').replace(
            "]\n", "])\n"
        ),
    )
    before = (folder / "function_app.py").read_text("utf-8")

    assert main(["lint", str(folder), "--no-load", "--fix"]) == 1
    assert (folder / "function_app.py").read_text("utf-8") == before


def test_a_file_that_is_no_utf8_is_reported(folder, capsys):
    (folder / "function_app.py").write_bytes(b'import azure\nNAME = "\xe9"\n')

    assert main(["lint", str(folder), "--no-load"]) == 1
    assert "DUR001 SyntaxError: 'utf-8' codec can't decode byte 0xe9" in capsys.readouterr().out


def test_the_hook_for_pre_commit_runs_the_linter(folder, capsys, monkeypatch):
    hook = (ROOT / ".pre-commit-hooks.yaml").read_text("utf-8")
    command, *arguments = hook.partition("entry: ")[2].splitlines()[0].split()
    scripts = tomllib.loads((ROOT / "pyproject.toml").read_text("utf-8"))["project"]["scripts"]
    monkeypatch.chdir(folder)

    assert scripts[command] == "durablehost.__main__:main"
    assert main(arguments) == 1


def test_a_rule_is_selected_by_its_name(folder, capsys):
    assert main(["lint", str(folder), "--no-load", "--select", "logs"]) == 0
    assert main(["lint", str(folder), "--no-load", "--select", "logs,clock"]) == 1


def test_pyproject_chooses_the_rules_and_the_command_line_wins(folder, capsys):
    (folder / "pyproject.toml").write_text('[tool.durablehost.lint]\nignore = ["clock"]\n')

    assert main(["lint", str(folder), "--no-load"]) == 0
    assert main(["lint", str(folder), "--no-load", "--ignore", "logs"]) == 1


def test_the_version_of_python_in_pyproject_switches_rules_on(folder, capsys):
    annotated = (
        '@app.route(route="orders")\n'
        '@app.durable_client_input(client_name="client")\n'
        "async def start(req, client: df.DurableOrchestrationClient): ...\n"
    )
    write(folder, annotated)
    (folder / "pyproject.toml").write_text('[tool.durablehost.lint]\npython = "3.14"\n')

    assert main(["lint", str(folder), "--no-load"]) == 1
    assert "DUR004" in capsys.readouterr().out


@pytest.mark.parametrize(
    ("settings", "arguments", "says"),
    [
        ("", ["--select", "DUR999"], "There is no rule 'DUR999'"),
        ("", ["--explain", "DUR999"], "There is no rule 'DUR999'"),
        ("[tool.durablehost.lint]\nselct = []\n", [], "has no 'selct'"),
        ('[tool.durablehost.lint]\npython = "three"\n', [], "is no version"),
        ('[tool.durablehost.lint]\nselect = "DUR1"\n', [], "is no list of codes"),
        ("nonsense", [], "is no TOML"),
        ("", ["--format", "xml"], "durablehost lint --help"),
    ],
)
def test_a_command_that_cannot_run_says_why_and_ends_with_2(
    folder, capsys, settings, arguments, says
):
    (folder / "pyproject.toml").write_text(settings)

    assert main(["lint", str(folder), "--no-load", *arguments]) == 2
    assert says in capsys.readouterr().err


def test_a_folder_without_an_app_ends_with_2(tmp_path, capsys):
    assert main(["lint", str(tmp_path)]) == 2
    assert "There is no function_app.py" in capsys.readouterr().err


def test_the_settings_of_an_app_count_for_that_app_only(tmp_path, capsys):
    named = write(tmp_path / "named", READS_CLOCK)
    (named / "function_app.py").rename(named / "orders_app.py")
    values = {"PYTHON_SCRIPT_FILE_NAME": "orders_app.py", "ORDERS": "1"}
    settings = json.dumps({"IsEncrypted": False, "Values": values})
    (named / "local.settings.json").write_text(settings)
    other = write(tmp_path / "other", 'import os\n\nassert "ORDERS" not in os.environ\n')

    assert main(["lint", str(named), str(other)]) == 1
    assert [line.partition(" ")[0] for line in capsys.readouterr().out.splitlines()[:-2]] == [
        f"{named / 'orders_app.py'}:11:"
    ]


def test_a_package_that_is_not_installed_is_a_note(folder, capsys):
    write(folder, "import no_such_package\n")

    assert main(["lint", str(folder), "--notes"]) == 0
    assert "The app was not loaded: there is no module no_such_package" in capsys.readouterr().out


LOADS_BY_NAME = """\
import importlib

app.register_functions(importlib.import_module("orders_" + "by_name").bp)
"""
BLUEPRINT = """\
import datetime

import azure.durable_functions as df

bp = df.Blueprint()


@bp.orchestration_trigger(context_name="context")
def order(context):
    yield context.call_activity("shp", str(datetime.datetime.now()))
"""


def test_a_blueprint_that_is_imported_by_a_computed_name_is_linted(folder, capsys):
    write(folder, LOADS_BY_NAME)
    (folder / "orders_by_name.py").write_text(BLUEPRINT)

    assert main(["lint", str(folder)]) == 1
    clock, name, _ = capsys.readouterr().out.splitlines()
    assert clock.startswith(f"{folder / 'orders_by_name.py'}:10: DUR101 order calls datetime.")
    assert "There is no activity 'shp'; did you mean 'ship'? The instance stays Running" in name


def test_an_app_in_which_nothing_was_found_to_lint_is_told_from_a_sound_one(folder, capsys):
    write(folder, LOADS_BY_NAME)

    assert main(["lint", str(folder), "--no-load"]) == 0
    assert capsys.readouterr().out == (
        f"{folder / 'function_app.py'} leads to no orchestrator and no entity.\n"
        "0 findings, 1 note (--notes).\n"
    )


def test_what_the_app_prints_at_import_is_not_in_the_findings(folder, capsys):
    write(folder, 'print("imported")\n')

    main(["lint", str(folder), "--format", "json"])

    assert json.loads(capsys.readouterr().out) == []


def test_the_names_of_the_loaded_app_count(folder, capsys):
    registered = (
        "def packed(item): ...\n\n\n"
        'app.activity_trigger(input_name="item")(packed)\n\n\n'
        '@app.orchestration_trigger(context_name="context")\n'
        "def order(context):\n"
        '    yield context.call_activity("paked", None)\n'
    )
    write(folder, registered)

    assert main(["lint", str(folder), "--no-load"]) == 0  # there may be others
    assert main(["lint", str(folder)]) == 1
    assert "There is no activity 'paked'; did you mean 'packed'?" in capsys.readouterr().out


def test_long_chains_of_operators_are_read(folder, capsys):
    write(folder, f"TEXT = {' + '.join(['1'] * 3000)}\n")

    assert main(["lint", str(folder), "--no-load"]) == 0
    assert "failed" not in capsys.readouterr().out


def test_a_file_with_a_null_byte_is_a_finding(folder, capsys):
    (folder / "function_app.py").write_bytes(b"import os\x00\n")

    assert main(["lint", str(folder), "--no-load"]) == 1
    assert "DUR001" in capsys.readouterr().out


def test_a_fix_counts_the_bytes_of_what_stands_before_it(folder, capsys):
    write(folder, YIELDS_LIST.replace("    yield [", "    word = 'é'; yield ["))

    main(["lint", str(folder), "--no-load", "--fix", "--select", "DUR203"])

    fixed = (folder / "function_app.py").read_text("utf-8")
    assert "word = 'é'; yield context.task_all([context.call_activity(" in fixed


def test_a_rule_is_explained(capsys):
    assert main(["lint", "--explain", "DUR101"]) == 0
    assert capsys.readouterr().out.startswith("# DUR101 clock\n")
    assert main(["lint", "--explain"]) == 0
    assert "DUR603  entity-io" in capsys.readouterr().out


def test_warnings_of_the_sdk_at_import_are_not_printed(folder, capsys, monkeypatch):
    write(folder, "")
    monkeypatch.setattr(logging.getLogger(), "handlers", [])

    assert main(["lint", str(folder)]) == 0
    assert capsys.readouterr().err == ""
