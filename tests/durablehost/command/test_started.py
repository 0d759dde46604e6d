"""A started durablehost end to end: its own pages, its keys, and the environment of the app."""

import json
import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from tests.durablehost.apps import SOUND, write_app, write_local_settings
from tests.durablehost_process import Answer, Started, running

NAMES = (
    "FUNCTIONS_WORKER_RUNTIME",
    "AzureWebJobsScriptRoot",
    "AZURE_FUNCTIONS_ENVIRONMENT",
    "WEBSITE_HOSTNAME",
    "FROM_SETTINGS",
)
PAGES = ("/admin/host/status", "/admin/functions", "/admin/functions/hello")
APP = (
    SOUND
    + f"""
import json
import logging
import sys

NAMES = {NAMES}
AT_IMPORT = {{name: os.environ.get(name) for name in NAMES}}


@app.route(route="environment", auth_level="anonymous")
def environment(req: func.HttpRequest) -> str:
    now = {{name: os.environ.get(name) for name in NAMES}}
    return json.dumps([AT_IMPORT, now, os.getcwd(), sys.path[0]])


@app.route(route="talks", auth_level="anonymous")
def talks(req: func.HttpRequest) -> str:
    logging.debug("a debug line of talks")
    logging.info("a line of talks")
    return "done"


@app.route(route="whispers", auth_level="anonymous")
def whispers(req: func.HttpRequest) -> str:
    logging.info("a line of whispers")
    logging.getLogger("own").warning("a warning of whispers")
    return "done"


@app.timer_trigger(arg_name="timer", schedule="0 0 5 1 1 *")
def yearly(timer: func.TimerRequest) -> None:
    print("a year has gone", timer.past_due, flush=True)
"""
)


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    return write_app(tmp_path / "app", APP)


@pytest.fixture(scope="module")
def without_keys(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Started]:
    host_json = {"version": "2.0", "logging": {"logLevel": {"Function.whispers": "Warning"}}}
    folder = write_app(tmp_path_factory.mktemp("without-keys") / "app", APP, host_json)
    with running(folder) as host:
        yield host


@pytest.fixture(scope="module")
def key_file(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("keys") / "keys.json"


@pytest.fixture(scope="module")
def with_keys(tmp_path_factory: pytest.TempPathFactory, key_file: Path) -> Iterator[Started]:
    folder = write_app(tmp_path_factory.mktemp("with-keys") / "app", APP)
    with running(folder, "--auth", key_file) as host:
        yield host


@pytest.fixture
def keys(with_keys: Started, key_file: Path) -> dict[str, str]:
    read: dict[str, str] = json.loads(key_file.read_text())
    return read


def run(host: Started, name: str, key: str = "", body: str = '{"input": ""}') -> Answer:
    """Ask for a function to be run now."""
    headers = {"Content-Type": "application/json", **({"x-functions-key": key} if key else {})}
    return host.ask("POST", f"/admin/functions/{name}", body, headers)


def environment_of(host: Started) -> list[Any]:
    read: list[Any] = host.ask("GET", "/api/environment").json()
    return read


def test_the_app_finds_the_environment_of_func_start_at_import_and_later(folder: Path) -> None:
    write_local_settings(folder, Values={"FROM_SETTINGS": "yes"})
    with running(folder) as host:
        at_import, now, current, first_on_path = environment_of(host)

    assert now == {
        "FUNCTIONS_WORKER_RUNTIME": "python",
        "AzureWebJobsScriptRoot": str(folder),
        "AZURE_FUNCTIONS_ENVIRONMENT": "Development",
        "WEBSITE_HOSTNAME": host.base.removeprefix("http://"),
        "FROM_SETTINGS": "yes",
    }
    assert at_import == now
    assert current == first_on_path == str(folder)


def test_a_value_that_the_environment_has_already_stays(folder: Path) -> None:
    write_local_settings(folder, Values={"FROM_SETTINGS": "yes"})
    given = {"FROM_SETTINGS": "no", "WEBSITE_HOSTNAME": "example.org", "X": "y"}
    with running(folder, environ=given) as host:
        _, now, _, _ = environment_of(host)

    assert (now["FROM_SETTINGS"], now["WEBSITE_HOSTNAME"]) == ("no", "example.org")
    assert "Skipping 'FROM_SETTINGS' from local settings as it's already defined" in host.text


def test_the_app_may_be_in_another_file_than_function_app(folder: Path) -> None:
    (folder / "function_app.py").rename(folder / "main.py")
    with running(folder, environ={"PYTHON_SCRIPT_FILE_NAME": "main.py"}) as host:
        assert host.ask("GET", "/api/hello/Ada").text == "Hello Ada"


def test_a_function_is_run_from_its_admin_page(without_keys: Started) -> None:
    assert run(without_keys, "yearly").status == 202

    without_keys.output.wait_for("a year has gone False")


@pytest.mark.parametrize(
    ("name", "body", "status"), [("nobody", "{}", 404), ("yearly", "{", 400), ("yearly", "", 400)]
)
def test_an_invalid_run_by_hand_is_refused(
    without_keys: Started, name: str, body: str, status: int
) -> None:
    assert run(without_keys, name, body=body).status == status


def test_running_asks_for_the_master_key(with_keys: Started, keys: dict[str, str]) -> None:
    refused = [run(with_keys, "yearly", key).status for key in ("", "wrong", keys["function"])]

    assert refused == [401, 401, 401]
    assert run(with_keys, "yearly", keys["master"]).status == 202
    with_keys.output.wait_for("a year has gone False")


def test_each_function_logs_from_its_own_level_on(without_keys: Started) -> None:
    for path in ("/api/whispers", "/api/talks"):
        assert without_keys.ask("GET", path).status == 200

    without_keys.output.wait_for("a line of talks")
    said = without_keys.text
    assert "warning: a warning of whispers" in said
    assert "a line of whispers" not in said
    assert "a debug line of talks" not in said


def test_the_hosts_pages_are_open_without_keys(without_keys: Started) -> None:
    for page in PAGES:
        assert without_keys.ask("GET", page).status == 200
    status = without_keys.ask("GET", "/admin/host/status").json()
    assert (status["id"], status["state"]) == ("testhubname", "Running")


def test_the_hosts_pages_ask_for_the_master_key(with_keys: Started, keys: dict[str, str]) -> None:
    for page in (*PAGES, "/admin/durablehost/problems"):
        given = ("", f"?code={keys['function']}", f"?code={keys['durable']}")
        assert [with_keys.ask("GET", page + key).status for key in given] == [401, 401, 401]
        assert with_keys.ask("GET", f"{page}?code={keys['master']}").status == 200


def test_the_first_page_is_the_dashboard(without_keys: Started) -> None:
    page = without_keys.ask("GET", "/")
    [script] = re.findall(r'<script type="module" src="([^"]+)"', page.text)

    assert page.status == 200
    assert page.headers["Content-Type"].startswith("text/html")
    assert without_keys.ask("GET", script).status == 200


def test_problems_are_listed_for_an_instance_and_for_all(
    without_keys: Started,
) -> None:
    without_keys.manage("POST", "/orchestrators/waiting/one")
    assert without_keys.ask("GET", "/admin/durablehost/problems").json() == []

    without_keys.manage("POST", "/instances/one/raiseEvent/go", 1)
    without_keys.output.wait_for(
        "warning: one .waiting. was sent the event 'go' but waits for 'Go'"
    )

    problems = without_keys.ask("GET", "/admin/durablehost/problems").json()
    assert ("one", "event-name-case") in {(one["instanceId"], one["kind"]) for one in problems}
    assert without_keys.ask("GET", "/admin/durablehost/problems?instanceId=one").json() == problems
    assert without_keys.ask("GET", "/admin/durablehost/problems?instanceId=two").json() == []


def test_webhooks_take_the_durable_key_and_the_master_key(
    with_keys: Started, keys: dict[str, str]
) -> None:
    at = "/runtime/webhooks/durabletask/instances"
    given = ("", "?code=wrong", f"?code={keys['function']}")

    assert [with_keys.ask("GET", at + key).status for key in given] == [401, 401, 401]
    for name in ("durable", "master"):
        assert with_keys.ask("GET", f"{at}?code={keys[name]}").status == 200
        assert with_keys.ask("GET", at, headers={"x-functions-key": keys[name]}).status == 200


def test_the_urls_of_a_starter_work_if_keys_are_required(
    with_keys: Started, keys: dict[str, str]
) -> None:
    started = with_keys.ask("POST", f"/api/start/waiting?code={keys['function']}", "1").json()
    path = started["statusQueryGetUri"].removeprefix(with_keys.base)

    assert with_keys.ask("GET", path).status == 202
    assert f"code={keys['durable']}" in path


def test_every_function_is_listed_with_its_bindings(without_keys: Started) -> None:
    listed = without_keys.ask("GET", "/admin/functions").json()

    assert {"hello", "chain", "double", "counter", "yearly"} <= {one["name"] for one in listed}
    [hello] = [one for one in listed if one["name"] == "hello"]
    assert hello["invoke_url_template"] == f"{without_keys.base}/api/hello/{{name}}"
    assert without_keys.ask("GET", "/admin/functions/nobody").status == 404
