"""durablehost that cannot start says why, where and what to do in one message, and ends with 1."""

import json
import os
import signal
import socket
from pathlib import Path

import pytest

from tests.durablehost.apps import IMPORTS, SOUND, write_app, write_local_settings
from tests.durablehost_process import launched, outcome, running
from tests.refusing import Refused


def refused_app(refused: Refused, tmp_path: Path, function_app: str = SOUND, **others: str) -> str:
    folder = write_app(tmp_path / "app", function_app, **others)
    return refused("start", folder, "--port", "0")


@pytest.mark.parametrize(
    ("arguments", "says"),
    [
        (("--frob",), "Unrecognized arguments: --frob."),
        (("--port", "http"), "'http' is not a port; write a number from 0 to 65535."),
        (("--port", "65536"), "'65536' is not a port"),
        (("--port", "-1"), "'-1' is not a port"),
        (("--port",), "Argument -p/--port: expected one argument."),
        (("--relo",), "Unrecognized arguments: --relo."),
        ((".", "another"), "Unrecognized arguments: another."),
    ],
)
def test_a_wrong_option_is_named(refused: Refused, arguments: tuple[str, ...], says: str) -> None:
    said = refused("start", "--port", "0", *arguments)

    assert says in said
    assert said.strip().count("\n") == 0
    assert "`python -m durablehost start --help`" in said


def test_an_unknown_command_is_named(refused: Refused) -> None:
    assert "invalid choice: 'strat' (choose from" in refused("strat")


def test_a_path_that_is_not_a_folder_is_named(refused: Refused, tmp_path: Path) -> None:
    assert f"{tmp_path}/nowhere is not a folder." in refused(
        "start", tmp_path / "nowhere", "--port", "0"
    )


def test_a_taken_port_is_named_with_the_way_out(refused: Refused, tmp_path: Path) -> None:
    folder = write_app(tmp_path / "app")
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = taken.getsockname()[1]

        said = refused("start", folder, "--port", str(port))

    assert f"Port {port} on 127.0.0.1 cannot be used: Address already in use." in said
    assert "choose another port with --port (0 chooses a free port)" in said


@pytest.mark.parametrize("address", ["192.0.2.1", "not-a-host.invalid", "x" * 70, "::zz"])
def test_an_address_of_no_use_is_named(refused: Refused, tmp_path: Path, address: str) -> None:
    folder = write_app(tmp_path / "app")

    said = refused("start", folder, "--port", "0", "--host", address)

    assert f"Port 0 on {address} cannot be used: " in said
    assert "--host" in said


def test_a_folder_without_host_json_is_not_an_app(refused: Refused, tmp_path: Path) -> None:
    folder = write_app(tmp_path / "app")
    (folder / "host.json").unlink()

    said = refused("start", folder, "--port", "0")

    assert f"{folder} has no host.json" in said
    assert '{"version": "2.0"}' in said


@pytest.mark.parametrize(
    ("host_json", "says"),
    [
        ('{\n  "version": "2.0"\n  "x": 1\n}', "host.json is not valid JSON: line 3, column 3"),
        ("", "host.json is not valid JSON: line 1"),
        ("[]", "host.json does not contain a JSON object"),
        ("[" * 100_000, "host.json is not valid JSON"),
        ("{}", 'host.json is missing the required "version"'),
        ('{"version": "3.0"}', "version is '3.0'"),
        ('{"version": "2.0", "extensions": {"durableTask": {"hubName": "a b"}}}', "'a b'"),
        (
            '{"version": "2.0", "extensions": {"durableTask": {"hubName": "%NO%"}}}',
            "'%NO%' does not resolve",
        ),
        ('{"version": "2.0", "functionTimeout": "soon"}', "functionTimeout is 'soon'"),
    ],
)
def test_a_host_json_that_cannot_be_used_is_named_with_its_fault(
    refused: Refused, tmp_path: Path, host_json: str, says: str
) -> None:
    folder = write_app(tmp_path / "app", host=host_json)

    said = refused("start", folder, "--port", "0")

    assert f"{folder}/host.json" in said
    assert says in said


def test_encrypted_settings_are_refused_with_advice(refused: Refused, tmp_path: Path) -> None:
    folder = write_app(tmp_path / "app")
    write_local_settings(folder, IsEncrypted=True, Values={"A": "x"})

    said = refused("start", folder, "--port", "0")

    assert f'{folder}/local.settings.json says "IsEncrypted": true' in said
    assert "func settings decrypt" in said


def test_local_settings_that_are_not_json_are_named_with_the_line(
    refused: Refused, tmp_path: Path
) -> None:
    folder = write_app(tmp_path / "app")
    (folder / "local.settings.json").write_text('{"IsEncrypted": false,\n"Values": {]}')

    assert "local.settings.json is not valid JSON: line 2" in refused(
        "start", folder, "--port", "0"
    )


@pytest.mark.parametrize(
    ("function_app", "says"),
    [
        ("import nothing_of_the_kind\n", ["No module named 'nothing_of_the_kind'", ":1", "pip"]),
        ("x = 1\ny = = 2\n", ["SyntaxError", "function_app.py:2", "`y = = 2`"]),
        ("x = 1\n\nraise ValueError('no luck')\n", ["ValueError: no luck", "function_app.py:3"]),
        ("import sys\nsys.exit('gone')\n", ["SystemExit: gone", "function_app.py:2"]),
        ("x = 1\n", ["Could not find top level function app instances", "df.DFApp()"]),
        (
            IMPORTS + "\n@app.activity_trigger(input_name='x')\ndef act(y):\n    return y\n",
            ["cannot load the act function", "function_app.py:7", "`input_name="],
        ),
        (
            SOUND + "\n@app.activity_trigger(input_name='x')\ndef double(x):\n    return x\n",
            ["Function double does not have a unique function name", "function_app.py:", "rename"],
        ),
        (
            SOUND + "\n@app.activity_trigger(input_name='x')\ndef Double(x):\n    return x\n",
            ["multiple methods with the name 'Host.Functions.Double'", "every route answers 503"],
        ),
        (
            SOUND + "\n@app.route(route='a/{b')\ndef braces(req):\n    return 'x'\n",
            ["function_app.py:", "the route 'a/{b' of 'braces' cannot be read"],
        ),
    ],
)
def test_an_app_that_does_not_load_is_explained_with_file_and_line(
    refused: Refused, tmp_path: Path, function_app: str, says: list[str]
) -> None:
    said = refused_app(refused, tmp_path, function_app)

    for words in says:
        assert words in said


def test_a_failure_in_another_module_is_found_there(refused: Refused, tmp_path: Path) -> None:
    said = refused_app(refused, tmp_path, "import part\n" + SOUND, part="x = 1\nx.nothing\n")

    assert "AttributeError: 'int' object has no attribute 'nothing'\n  at part.py:2\n" in said


def test_all_that_keeps_an_app_from_loading_is_said_at_once(
    refused: Refused, tmp_path: Path
) -> None:
    broken = "".join(
        f"\n@app.activity_trigger(input_name='x')\ndef {name}(x: dict[str, int]):\n    return x\n"
        for name in ("one", "two")
    )

    said = refused_app(refused, tmp_path, IMPORTS + broken)

    assert "cannot load the one function" in said
    assert "cannot load the two function" in said
    assert said.count("every route answers 404") == 1


def test_an_app_does_not_import_modules_from_the_folder_of_the_command(tmp_path: Path) -> None:
    folder = write_app(tmp_path / "app", "import astray\n" + SOUND)
    (tmp_path / "astray.py").write_text("")

    code, said = outcome("start", folder, "--port", "0", cwd=tmp_path)

    assert code == 1
    assert "Traceback" not in said
    assert "No module named 'astray'" in said


def test_an_app_of_the_first_model_is_told_from_a_folder_without_app(
    refused: Refused, tmp_path: Path
) -> None:
    folder = write_app(tmp_path / "app")
    (folder / "function_app.py").unlink()
    empty = refused("start", folder, "--port", "0")
    (folder / "HttpStart").mkdir()
    (folder / "HttpStart" / "function.json").write_text("{}")

    first_model = refused("start", folder, "--port", "0")

    assert f"there is no function_app.py in {folder}" in empty
    assert "v1 programming model" in first_model


@pytest.mark.parametrize(
    "content", ["{", "[]", '{"master": "a", "function": "b"}', '{"master": 1}']
)
def test_a_key_file_that_holds_no_keys_is_named(
    refused: Refused, tmp_path: Path, content: str
) -> None:
    folder = write_app(tmp_path / "app")
    keys = tmp_path / "keys.json"
    keys.write_text(content)

    assert f"{keys}" in refused("start", folder, "--port", "0", "--auth", keys)
    assert keys.read_text() == content


def test_a_key_file_that_cannot_be_made_is_named(refused: Refused, tmp_path: Path) -> None:
    folder = write_app(tmp_path / "app")
    keys = tmp_path / "nowhere" / "keys.json"

    assert f"{keys} cannot be written: No such file" in refused(
        "start", folder, "--port", "0", "--auth", keys
    )


def test_a_second_durablehost_on_one_hub_names_the_process_of_the_first(
    refused: Refused, tmp_path: Path
) -> None:
    folder = write_app(tmp_path / "app")
    with running(folder) as first:
        said = refused("start", folder, "--port", "0")

        assert f"hub.db is in use by another durablehost (process {first.process.pid})." in said
        assert first.run_to_its_end("chain") == 4


def test_a_file_that_is_not_a_hub_is_named_and_left_as_it_is(
    refused: Refused, tmp_path: Path
) -> None:
    folder = write_app(tmp_path / "app")
    hub = tmp_path / "notes.txt"
    hub.write_text("no database at all, but somebody's notes " * 100)

    said = refused("start", folder, "--port", "0", "--data", hub)

    assert f"{hub} cannot be used as a hub" in said
    assert hub.read_text().startswith("no database at all")


def test_a_hub_in_a_place_that_cannot_be_written_is_named(refused: Refused, tmp_path: Path) -> None:
    folder = write_app(tmp_path / "app")
    (tmp_path / "file").write_text("")

    said = refused("start", folder, "--port", "0", "--data", tmp_path / "file" / "hub.db")

    assert f"{tmp_path}/file/hub.db cannot be used as a hub" in said


def test_a_name_that_the_console_cannot_show_does_no_harm(tmp_path: Path) -> None:
    folder = tmp_path / os.fsdecode(b"\xff\xfe app")
    write_app(folder)
    (folder / "host.json").unlink()

    code, said = outcome("start", folder, "--port", "0")

    assert code == 1
    assert "app has no host.json" in said


def test_ctrl_c_while_the_app_is_imported_ends_it_without_a_traceback(tmp_path: Path) -> None:
    hanging = "import threading\nprint('importing', flush=True)\nthreading.Event().wait()\n"
    folder = write_app(tmp_path / "app", hanging)
    with launched("start", folder, "--port", "0") as (process, output):
        output.wait_for("importing")

        process.send_signal(signal.SIGINT)

        assert process.wait(60) == 130
    assert "Traceback" not in "\n".join(output.lines)


def test_a_worker_runtime_that_is_not_python_is_named(
    refused: Refused, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    folder = write_app(tmp_path / "app")
    write_local_settings(folder, Values={"FUNCTIONS_WORKER_RUNTIME": "node"})
    monkeypatch.delenv("FUNCTIONS_WORKER_RUNTIME", raising=False)

    said = refused("start", folder, "--port", "0")

    assert "FUNCTIONS_WORKER_RUNTIME is 'node'" in said


def test_a_setting_that_is_not_a_text_is_named(refused: Refused, tmp_path: Path) -> None:
    folder = write_app(tmp_path / "app")
    write_local_settings(folder, Values={"Number": 5})

    said = refused("start", folder, "--port", "0")

    assert json.loads((folder / "local.settings.json").read_text())["Values"] == {"Number": 5}
    assert "local.settings.json: Number is 5. A setting is a text" in said
