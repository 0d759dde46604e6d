"""infra/ is checked where there is a compiler, once for each change."""

import os
import shlex
import sys
from pathlib import Path

import pytest

from deployment import bicep

# In place of the compiler, a program that notes what it is asked and says what a test wants.
COMPILER = """\
#!{python}
import pathlib, sys
here = pathlib.Path(__file__).parent
with (here / "asked").open("a") as asked:
    print(*(pathlib.Path(word).name for word in sys.argv[1:3]), file=asked)
says = here / f"{{sys.argv[1]}} says"
sys.stderr.write(says.read_text() if says.exists() else "")
sys.exit(int((here / "exits").read_text()) if (here / "exits").exists() else 0)
"""


@pytest.fixture
def compiler(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    file = tmp_path / "compiler" / "bicep"
    file.parent.mkdir()
    file.write_text(COMPILER.format(python=shlex.quote(sys.executable)))
    file.chmod(0o700)
    monkeypatch.setenv("PATH", str(file.parent), prepend=os.pathsep)
    return file


@pytest.fixture
def infra(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    folder = tmp_path / "infra"
    (folder / "snapshots").mkdir(parents=True)
    (folder / "main.bicep").write_text("// all of it")
    (folder / "snapshots" / "one.bicepparam").write_text("using '../main.bicep'")
    monkeypatch.setattr(bicep, "INFRA", folder)
    monkeypatch.setattr(bicep, "PASSED", tmp_path / "passed")
    return folder


def asked(compiler: Path) -> list[str]:
    return (compiler.parent / "asked").read_text().splitlines()


def test_a_file_that_passed_the_compiler_is_checked_again_after_a_change(
    compiler: Path, infra: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    codes = [bicep.main([]), bicep.main([])]
    once = asked(compiler)
    (infra / "main.bicep").write_text("// more of it")
    codes.append(bicep.main([]))

    assert codes == [0, 0, 0]
    assert sorted(once) == ["lint main.bicep", "snapshot one.bicepparam"]
    assert sorted(asked(compiler)) == sorted(once * 2)
    assert "agrees with its snapshots" in capsys.readouterr().out


@pytest.mark.parametrize("command", ["lint", "snapshot"])
def test_a_warning_fails_the_check_and_the_next_one(
    compiler: Path, infra: Path, command: str, capsys: pytest.CaptureFixture[str]
) -> None:
    (compiler.parent / f"{command} says").write_text("Warning BCP334: too short")

    assert [bicep.main([]), bicep.main([])] == [1, 1]

    said = capsys.readouterr().out
    assert "Warning BCP334: too short" in said
    assert ("one.bicepparam and its snapshot differ" in said) == (command == "snapshot")
    assert "python -m deployment.bicep --write" in said


def test_a_compiler_that_fails_without_a_word_fails_the_check(
    compiler: Path, infra: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    (compiler.parent / "exits").write_text("1")

    assert bicep.main([]) == 1
    assert "bicep failed" in capsys.readouterr().out


def test_without_a_compiler_nothing_is_checked_and_that_is_said(
    infra: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setenv("PATH", "")
    monkeypatch.delenv("BICEP", raising=False)

    assert bicep.main([]) == 0
    assert "is not checked" in capsys.readouterr().out
