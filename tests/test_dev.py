"""dev.py leaves nothing running or listening, and says what is wrong in one line."""

import json
import os
import re
import signal
import socket
import subprocess
import sys
from pathlib import Path

import pytest

import dev

SERVE = """\
import sys
from http.server import HTTPServer, SimpleHTTPRequestHandler
HTTPServer(("127.0.0.1", int(sys.argv[1])), SimpleHTTPRequestHandler).serve_forever()
"""
STUBBORN = "import signal; signal.signal(signal.SIGINT, signal.SIG_IGN)\n" + SERVE
PARENT = """\
import subprocess, sys
subprocess.run([sys.executable, "-c", sys.argv[2], sys.argv[1]])
"""

posix = pytest.mark.skipif(os.name == "nt", reason="Windows has no signals to send")


@pytest.fixture
def port() -> int:
    return dev.free_ports(1)[0]


def python(program: str, *arguments: object) -> list[str]:
    return [sys.executable, "-c", program, *map(str, arguments)]


@posix
@pytest.mark.parametrize(
    "command",
    [(SERVE,), (STUBBORN,), (PARENT, SERVE)],
    ids=["willing", "deaf to Ctrl-C", "has a child"],
)
def test_nothing_listens_after_the_block(port, command, monkeypatch):
    monkeypatch.setattr(dev, "STOP_TIMEOUT", 0.5)
    program, *child = command

    with dev.Children() as children:
        children.start("sandbox", python(program, port, *child), {})
        children.wait_until_ready("sandbox", port)
        assert not dev.is_free(port)

    assert dev.is_free(port)


@posix
def test_nothing_listens_after_a_failure(port):
    def fail_beside_a_server() -> None:
        with dev.Children() as children:
            children.start("sandbox", python(SERVE, port), {})
            children.wait_until_ready("sandbox", port)
            children.start("durablehost", python("raise SystemExit(3)"), {})
            children.wait_for_an_end()

    with pytest.raises(dev.Failed, match="durablehost ended with exit code 3"):
        fail_beside_a_server()

    assert dev.is_free(port)


def test_a_process_that_ends_before_it_answers_did_not_start(port, capfd):
    def start() -> None:
        with dev.Children() as children:
            children.start("sandbox", python("print('no money today'); raise SystemExit(1)"), {})
            children.wait_until_ready("sandbox", port)

    with pytest.raises(dev.Failed, match="sandbox did not start"):
        start()

    assert "sandbox | no money today" in capfd.readouterr().out


@posix
@pytest.mark.parametrize("sent", [signal.SIGINT, signal.SIGTERM, signal.SIGHUP])
def test_a_signal_ends_the_wait_and_is_ours_again_afterwards(port, sent):
    before = signal.getsignal(sent)

    with dev.Children() as children:
        children.start("sandbox", python(SERVE, port), {})
        children.wait_until_ready("sandbox", port)
        os.kill(os.getpid(), sent)
        children.wait_for_an_end()

    assert dev.is_free(port)
    assert signal.getsignal(sent) == before


def test_the_first_request_comes_after_what_durablehost_serves(capfd):
    served = "print('Functions:')\nprint('Ready at http://localhost:7071 in 1 s.')\ninput()"

    with dev.Children() as children:
        children.start("durablehost", python(served), {})
        children.wait_until_listed()
        dev.say("paste this")

    said = capfd.readouterr().out
    assert said.index("Ready at") < said.index("paste this")


@posix
def test_a_signal_during_the_start_stops_it(port):
    def start() -> None:
        with dev.Children() as children:
            children.start("sandbox", python("import signal; signal.pause()"), {})
            os.kill(os.getpid(), signal.SIGTERM)
            children.wait_until_ready("sandbox", port)

    with pytest.raises(dev.Stopped):
        start()


@posix
def test_only_one_dev_py_at_a_time_installs_something():
    assert dev.fcntl is not None
    without_waiting = dev.fcntl.LOCK_EX | dev.fcntl.LOCK_NB
    with open(str(dev.__file__), "rb") as other:
        with dev.one_at_a_time(), pytest.raises(BlockingIOError):
            dev.fcntl.flock(other, without_waiting)

        dev.fcntl.flock(other, without_waiting)


def test_the_exit_code_of_a_process_in_the_foreground_is_returned():
    with dev.Children() as children:
        assert children.run(python("raise SystemExit(5)"), {}) == 5


def test_a_taken_port_is_named_with_what_to_do():
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = taken.getsockname()[1]

        with pytest.raises(dev.Failed, match=f"port {port} is used .* --port {port + 100}"):
            dev.require_free(port, "--port")


def test_a_failure_is_one_line_and_exit_code_1(monkeypatch, capsys):
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = str(taken.getsockname()[1])

        assert dev.main(["run", "--port", port]) == 1

    assert len(capsys.readouterr().out.splitlines()) == 1


@pytest.fixture
def settings(tmp_path, monkeypatch):
    """Settings made in a folder of their own from the example of this repository."""
    path = tmp_path / "local.settings.json"
    example = Path(f"{dev.SETTINGS}.example").read_text("utf-8")
    Path(f"{path}.example").write_text(example, "utf-8")
    monkeypatch.setattr(dev, "SETTINGS", path)
    return path


def test_settings_are_made_once_and_then_left_alone(settings):
    assert dev.set_up_settings(dev.SANDBOX_PORT) == {}
    assert settings.read_text("utf-8") == Path(f"{settings}.example").read_text("utf-8")

    settings.write_text('{"Values": {"MINE": "kept"}}', "utf-8")
    dev.set_up_settings(dev.SANDBOX_PORT)

    assert "kept" in settings.read_text("utf-8")


def test_a_setting_that_the_example_has_and_a_person_has_not_is_named(settings, capsys):
    example = json.loads(Path(f"{settings}.example").read_text("utf-8"))["Values"]
    del example["RETENTION_SCHEDULE"]
    settings.write_text(json.dumps({"Values": example}), "utf-8")

    dev.set_up_settings(dev.SANDBOX_PORT)

    assert "local.settings.json has no RETENTION_SCHEDULE, unlike" in capsys.readouterr().out


def test_a_sandbox_on_another_port_is_where_the_app_looks_for_it(settings):
    moved = dev.set_up_settings(7999)

    assert moved["BANK_URL"] == "http://127.0.0.1:7999/bank"
    values = json.loads(settings.read_text("utf-8"))["Values"]
    assert moved.keys() == {name for name in values if name.endswith("_URL")}
    assert all("7999" in address for address in moved.values())


@pytest.mark.parametrize(
    ("ports", "stored", "in_shell", "is_changed"),
    [
        (dev.AZURITE_PORTS, "UseDevelopmentStorage=true", None, False),
        ((1, 2, 3), "UseDevelopmentStorage=true", None, True),
        (dev.AZURITE_PORTS, "AccountName=of-a-person", None, True),
        (dev.AZURITE_PORTS, "UseDevelopmentStorage=true", "AccountName=of-a-shell", True),
    ],
)
def test_the_setting_of_the_storage_is_changed_only_if_it_is_not_this_azurite(
    settings, monkeypatch, ports, stored, in_shell, is_changed
):
    monkeypatch.delenv("AzureWebJobsStorage", raising=False)
    if in_shell:
        monkeypatch.setenv("AzureWebJobsStorage", in_shell)
    settings.write_text(json.dumps({"Values": {"AzureWebJobsStorage": stored}}), "utf-8")
    azurite = dev.connection_string(ports)

    changed = dev.storage_setting(azurite)

    assert changed == ({"AzureWebJobsStorage": azurite} if is_changed else {})


def test_settings_that_are_not_json_are_named(settings):
    settings.write_text("{", "utf-8")

    with pytest.raises(dev.Failed, match="local.settings.json is not JSON"):
        dev.set_up_settings(dev.SANDBOX_PORT)


def test_a_connection_string_names_every_port():
    text = dev.connection_string((1, 2, 3))

    assert "BlobEndpoint=http://127.0.0.1:1/devstoreaccount1;" in text
    assert "QueueEndpoint=http://127.0.0.1:2/devstoreaccount1;" in text
    assert text.endswith("TableEndpoint=http://127.0.0.1:3/devstoreaccount1")


@pytest.mark.parametrize(
    "line",
    ["see {}home/ada/x.py", "'{}root/.cache'", "{}tmp/a", 'r"C:\\{}Users\\ada"', "{}Users/ada/"],
)
def test_a_path_of_one_machine_is_found_in_a_tracked_file(tmp_path, line):
    path = line.format("" if "\\" in line else "/")
    (tmp_path / "notes.txt").write_text(f"fine\n{path}\n", "utf-8")
    (tmp_path / "ignored.txt").write_text(path, "utf-8")
    for command in (["init", "-q"], ["add", "notes.txt"]):
        subprocess.run(["git", *command], cwd=tmp_path, check=True)

    [found] = dev.machine_paths(tmp_path)

    assert found.startswith("notes.txt:2 names ")


@pytest.mark.parametrize("line", ["GET /api/home/x", "/home/site/wwwroot", "a/tmp/b", "/tmpfiles"])
def test_a_path_that_exists_on_every_machine_is_allowed(tmp_path, line):
    (tmp_path / "notes.txt").write_text(line, "utf-8")
    for command in (["init", "-q"], ["add", "notes.txt"]):
        subprocess.run(["git", *command], cwd=tmp_path, check=True)

    assert dev.machine_paths(tmp_path) == []


def test_help_has_one_line_for_each_target_of_the_makefile(capsys):
    makefile = (dev.ROOT / "Makefile").read_text("utf-8")
    [phony] = re.findall(r"^\.PHONY: (.*)$", makefile, re.MULTILINE)
    [rule] = re.findall(r"^([a-z -]+):$", makefile, re.MULTILINE)

    assert dev.main(["help"]) == 0

    listed = [line.split(maxsplit=2) for line in capsys.readouterr().out.splitlines()]
    assert phony == rule
    assert sorted(name for _, name, _ in listed) == sorted(phony.split())
    assert all(what[0].isupper() and what.endswith(".") for _, _, what in listed)


@pytest.mark.parametrize("command", dev.MODULES)
def test_each_python_m_command_names_a_module_that_exists(command):
    module = dev.command_line().parse_args([command]).module

    helped = subprocess.run(
        [sys.executable, "-m", module, "--help"], cwd=dev.ROOT, capture_output=True, check=False
    )

    assert helped.returncode == 0, helped.stderr
