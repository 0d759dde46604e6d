"""docs/durablehost.md says what durablehost is: its options, its problems, its messages."""

import inspect
import re
from pathlib import Path

import pytest

from durablehost.__main__ import main
from durablehost.hub import problems
from tests.durablehost_process import running
from tests.refusing import Refused
from tests.source import ROOT

PAGE = (ROOT / "docs" / "durablehost.md").read_text("utf-8")
[APP] = re.findall(r"^```python\n(.*?)^```", PAGE, re.MULTILINE | re.DOTALL)
REFUSED, LEFT_OUT = re.findall(r"^```text\n(.*?)\n```", PAGE, re.MULTILINE | re.DOTALL)
KINDS = set(re.findall(r'Problem\(\s*"([a-z-]+)"', inspect.getsource(problems))) | {
    problems.DURABLEHOST_FAILED
}


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    (tmp_path / "host.json").write_text('{"version": "2.0"}')
    (tmp_path / "function_app.py").write_text(APP)
    return tmp_path


def change(folder: Path, *changes: tuple[str, str]) -> None:
    for old, new in changes:
        assert f"`{new}`" in PAGE
        path = folder / "function_app.py"
        path.write_text(path.read_text().replace(old, new))


def test_the_app_of_the_page_runs(folder: Path) -> None:
    with running(folder) as host:
        started = host.ask("POST", "/api/hello")
        output = host.run_to_its_end("hello_sequence")

    assert started.status == 202
    assert "statusQueryGetUri" in started.json()
    assert output == ["Hello Tokyo!", "Hello London!"]


def test_the_refusal_on_the_page_is_the_one_durablehost_prints(
    folder: Path, refused: Refused
) -> None:
    change(folder, ("def say_hello(city: str)", "def say_hello(city: str | None)"))

    assert refused("start", folder, "--port", "0").strip() == REFUSED


def test_the_function_left_out_on_the_page_is_said_to_be_as_it_stands_there(folder: Path) -> None:
    change(
        folder,
        ('input_name="city"', 'input_name="city_name"'),
        ("def say_hello(city: str)", "def say_hello(city_name: str)"),
    )

    with running(folder) as host:
        assert LEFT_OUT in host.text


def test_the_page_names_every_option_and_no_other(capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit):
        main(["start", "--help"])

    printed = capsys.readouterr().out
    options = set(re.findall(r"--[a-z]+", printed.partition("examples:")[0]))
    assert set(re.findall(r"^\| `(--[a-z]+)", PAGE, re.MULTILINE)) == options


def test_the_page_names_every_kind_of_problem_once() -> None:
    assert sorted(re.findall(r"^\| `([a-z][a-z-]+)` \|", PAGE, re.MULTILINE)) == sorted(KINDS)
