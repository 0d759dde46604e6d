"""What `python -m durablehost start` prints and serves, and which options it knows."""

import json
import re
import socket
from collections.abc import Iterator
from pathlib import Path

import pytest

from durablehost.__main__ import main
from durablehost.command.host import Options, port_of
from durablehost.settings import Settings
from tests.durablehost.apps import IMPORTS, SOUND, write_app, write_local_settings
from tests.durablehost_process import Started, outcome, running
from tests.refusing import Refused

TRIGGERED = """
@app.timer_trigger(arg_name="timer", schedule="0 0 5 * * *")
def nightly(timer: func.TimerRequest) -> None:
    pass


@app.event_hub_message_trigger(arg_name="event", event_hub_name="e", connection="c")
def hubbed(event: func.EventHubEvent) -> None:
    pass


@app.orchestration_trigger(context_name="context", orchestration="Renamed")
def chain_two(context):
    return (yield context.call_activity("left", 1))


@app.activity_trigger(input_name="my_input")
def left(my_input: int) -> int:
    return my_input
"""


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    return write_app(tmp_path / "app")


@pytest.fixture(scope="module")
def listing(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Started]:
    """A durablehost with an app of all kinds of functions, and settings without effect."""
    durable = {"hubName": "MyHub", "useAppLease": False, "nonsense": 1}
    settings = {"version": "2.0", "extensions": {"durableTask": durable}}
    folder = write_app(tmp_path_factory.mktemp("listing") / "app", SOUND + TRIGGERED, settings)
    with running(folder, "--data", ":memory:") as host:
        yield host


def test_every_http_function_is_printed_with_its_methods_and_full_url(listing: Started) -> None:
    assert f"  hello:  [GET]  {listing.base}/api/hello/{{name}}" in listing.lines
    assert f"  length: [any]  {listing.base}/api/length" in listing.lines
    assert f"  result: [any]  {listing.base}/api/result/{{id}}" in listing.lines
    assert f"  start:  [POST] {listing.base}/api/start/{{name}}" in listing.lines


def test_orchestrators_activities_entities_and_other_triggers_are_printed(listing: Started) -> None:
    assert "Orchestrators (4):\n  chain, Renamed (chain_two), taking, waiting\n" in listing.text
    assert "Activities (1):\n  double\n" in listing.text
    assert "Entities (1):\n  counter\n" in listing.text
    assert "Timers:\n  nightly: 0 0 5 * * *\n" in listing.text
    assert "Other triggers:\n  hubbed: eventHubTrigger\n" in listing.text


def test_settings_without_effect_are_named_once(listing: Started) -> None:
    assert listing.text.count("  extensions.durableTask.useAppLease\n") == 1
    assert listing.text.count("  extensions.durableTask.nonsense (no such setting)\n") == 1
    assert "hubName" not in listing.text


def test_a_function_that_was_not_loaded_is_named_at_the_start_and_in_problems(
    tmp_path: Path,
) -> None:
    folder = write_app(tmp_path / "app", SOUND + TRIGGERED)
    line = (SOUND + TRIGGERED).splitlines().index("def left(my_input: int) -> int:") + 1
    place = f"function_app.py:{line}"
    with running(folder) as first:
        waiting = first.manage("POST", "/orchestrators/Renamed").json()["id"]
        first.output.wait_for("warning: .*calls the activity 'left'")
        first.stop()

    with running(folder) as second:
        problems = second.ask("GET", f"/admin/durablehost/problems?instanceId={waiting}").json()
        status = second.manage("GET", f"/instances/{waiting}").json()["runtimeStatus"]

    for host in first, second:
        assert f"Left out, as on Azure:\n  left ({place})\n" in host.text
        assert "The binding name my_input is invalid." in host.text
        assert 'Write `input_name="myInput"`' in host.text
    [unknown] = [problem["text"] for problem in problems if problem["kind"] == "unknown-function"]
    assert "It was left out: The 'left' function is in error" in unknown
    assert place in unknown
    assert status == "Running"


def test_the_hub_file_is_in_the_apps_folder_by_default(folder: Path) -> None:
    with running(folder) as host:
        assert f"Hub: {folder}/.durablehost/hub.db" in host.lines
        assert (folder / ".durablehost" / "hub.db").exists()


def test_in_memory_nothing_is_written_and_nothing_kept(folder: Path) -> None:
    before = {path.name for path in folder.iterdir()}

    for _ in range(2):
        with running(folder, "--data", ":memory:") as host:
            assert host.run_to_its_end("chain", "same") == 4
            assert [one["instanceId"] for one in host.manage("GET", "/instances").json()] == [
                "same"
            ]

    assert "Hub: :memory:" in host.lines
    assert {path.name for path in folder.iterdir()} - before <= {"__pycache__"}


def test_relative_paths_are_below_the_folder_durablehost_was_started_in(
    folder: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)

    with running(Path("app"), "--data", "kept.db", "--auth", "keys.json"):
        assert (tmp_path / "kept.db").exists()
        assert (tmp_path / "keys.json").exists()


def test_the_folder_is_the_current_one_by_default(folder: Path, refused: Refused) -> None:
    said = refused("start", "--port", "0", "--host", "no address at all", cwd=folder)

    assert "Port 0 on no address at all cannot be used" in said


def test_port_zero_takes_a_free_one_and_prints_it(folder: Path) -> None:
    with running(folder, "--port", "0") as host:
        assert re.fullmatch(r"http://localhost:\d+", host.base)
        assert host.ask("GET", "/api/hello/Ada").text == "Hello Ada"


@pytest.mark.parametrize(
    ("on_the_command_line", "in_local_settings", "port"),
    [(None, None, 7071), (None, 7100, 7100), (7200, 7100, 7200), (0, 7100, 0)],
)
def test_the_command_line_names_the_port_else_local_settings_else_it_is_7071(
    on_the_command_line: int | None, in_local_settings: int | None, port: int
) -> None:
    options = Options(Path("app"), "127.0.0.1", on_the_command_line, ":memory:", None)

    assert port_of(options, Settings(port=in_local_settings)) == port


def test_it_listens_on_the_port_of_local_settings(folder: Path, refused: Refused) -> None:
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = taken.getsockname()[1]
        write_local_settings(folder, Host={"LocalHttpPort": port})

        said = refused("start", folder, port_in_settings=True)

    assert f"Port {port} on 127.0.0.1 cannot be used" in said


@pytest.mark.parametrize("address", ["0.0.0.0", "::1"])
def test_it_listens_on_the_address_that_is_asked_for(folder: Path, address: str) -> None:
    with running(folder, "--host", address) as host:
        assert host.ask("GET", "/api/hello/Ada").text == "Hello Ada"

    assert host.base.startswith("http://[::1]:" if address == "::1" else "http://localhost:")


def test_auth_creates_a_private_key_file_and_enforces_the_keys(
    folder: Path, tmp_path: Path
) -> None:
    file = tmp_path / "keys.json"

    with running(folder, "--auth", file) as host:
        keys = json.loads(file.read_text())
        answers = [
            host.ask("GET", path).status
            for path in (
                "/api/hello/Ada",
                "/api/hello/Ada?code=wrong",
                f"/api/hello/Ada?code={keys['function']}",
                f"/api/hello/Ada?code={keys['master']}",
            )
        ]

    assert answers == [401, 401, 200, 200]
    assert file.stat().st_mode & 0o777 == 0o600
    assert f"Keys: required, as in {file}" in host.lines
    assert not any(key in host.text for key in keys.values())


def test_the_keys_stay_the_same_from_start_to_start(folder: Path, tmp_path: Path) -> None:
    file = tmp_path / "keys.json"
    with running(folder, "--auth", file):
        keys = file.read_text()

    with running(folder, "--auth", file):
        assert file.read_text() == keys


def test_an_app_without_functions_starts_with_a_message(tmp_path: Path) -> None:
    with running(write_app(tmp_path / "app", IMPORTS)) as host:
        assert "The app has no functions." in host.lines
        assert host.ask("GET", "/").status == 200


def printed(capsys: pytest.CaptureFixture[str], *arguments: str) -> str:
    """What durablehost prints and then ends successfully."""
    with pytest.raises(SystemExit) as ended:
        main(arguments)
    assert ended.value.code == 0
    return capsys.readouterr().out


@pytest.mark.parametrize("arguments", [("--help",), ("start", "--help")])
def test_help_names_every_option_and_shows_how_to_start(
    arguments: tuple[str, ...], capsys: pytest.CaptureFixture[str]
) -> None:
    said = printed(capsys, *arguments)

    assert "python -m durablehost start --reload" in said
    if arguments[0] == "start":
        options = ("--port", "--host", "--data", "--auth", "--reload", "--functions", "--cors")
        for option in ("APP_DIR", "-p", *options, "--cors-credentials", "--verbose"):
            assert option in said


def test_the_flags_of_func_start_are_taken(folder: Path) -> None:
    flags = ("-p", "0", "--functions", "hello", "nobody", "--cors", "https://a.example,")
    with running(folder, "--data", ":memory:", *flags, "--verbose") as host:
        headers = {"Origin": "https://a.example"}
        hello = host.ask("GET", "/api/hello/Ada", headers=headers)
        other = host.ask("GET", "/api/length")

    assert hello.headers["Access-Control-Allow-Origin"] == "https://a.example"
    assert (hello.status, other.status) == (200, 404)
    assert (
        "warning: The app has no function nobody, which is in the list of functions to load."
        in host.text
    )


@pytest.mark.parametrize(
    ("flag", "advice"),
    [
        ("--enableAuth", "Instead of --enableAuth, use `--auth KEYS.json`."),
        ("--useHttps", "Instead of --useHttps, durablehost serves plain HTTP"),
        ("--script-root=app", "Instead of --script-root, write the app's folder after `start`."),
        ("--language-worker", "-m debugpy --listen 5678"),
        ("--no-build", "Instead of --no-build, leave it out."),
        ("--nonsense", "`python -m durablehost start --help` shows the commands and options."),
    ],
)
def test_a_flag_of_func_start_that_is_not_taken_names_what_to_use(
    refused: Refused, flag: str, advice: str
) -> None:
    said = refused("start", "--port", "0", flag)

    assert f"Unrecognized arguments: {flag}." in said
    assert advice in said


def test_any_page_cannot_send_cookies(folder: Path, refused: Refused) -> None:
    said = refused("start", folder, "--port", "0", "--cors", "*", "--cors-credentials")

    assert 'Browsers refuse --cors "*" together with --cors-credentials.' in said


def test_without_a_command_it_shows_its_help_and_fails(refused: Refused) -> None:
    assert "serve an app, as `func start` does" in refused()


def test_its_version_is_that_of_the_package() -> None:
    assert outcome("--version") == (0, "durablehost 0.1.0")
