"""A program in place of the Azure CLI: it answers as a test wants, and keeps what it was asked."""

import json
import os
import shlex
import sys
from pathlib import Path
from typing import Any

import pytest

# A word `@file` is replaced by what is in the file, as az does.
_PROGRAM = """\
#!{python}
import json, pathlib, sys
here = pathlib.Path(__file__).parent
words = [w if w[:1] != "@" else pathlib.Path(w[1:]).read_text() for w in sys.argv[1:]]
in_files = [w for w, given in zip(words, sys.argv[1:]) if w != given]
with (here / "asked.jsonl").open("a") as asked:
    asked.write(json.dumps([words, in_files]) + "\\n")
asked = " ".join(words)
answers = json.loads((here / "answers.json").read_text())
for beginning in sorted(answers, key=len, reverse=True):
    if asked.startswith(beginning):
        answer, *later = answers[beginning]
        if later:
            answers[beginning] = later
            (here / "answers.json").write_text(json.dumps(answers))
        if isinstance(answer, dict) and "fails" in answer:
            sys.exit(answer["fails"])
        print(json.dumps(answer))
"""


class Azure:
    """What the program answers, and what it was asked."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self._answers: dict[str, list[Any]] = {}
        self.answer({})
        file = folder / "az"
        file.write_text(_PROGRAM.format(python=shlex.quote(sys.executable)))
        file.chmod(0o700)

    def answer(self, answers: dict[str, list[Any]]) -> None:
        """Answers by what a command begins with; of several the first, and the last again."""
        self._answers |= answers
        (self._folder / "answers.json").write_text(json.dumps(self._answers))

    @property
    def asked(self) -> list[list[str]]:
        """The words of each command, without those that are in every command."""
        return [words for words, _ in self._noted()]

    @property
    def in_files(self) -> set[str]:
        """The values that were passed in files."""
        return {value for _, values in self._noted() for value in values}

    def after(self, option: str) -> list[str]:
        """The values of an option, of each command that had it."""
        return [words[words.index(option) + 1] for words in self.asked if option in words]

    def _noted(self) -> list[Any]:
        file = self._folder / "asked.jsonl"
        return [json.loads(line) for line in file.read_text().splitlines()] if file.exists() else []


@pytest.fixture
def azure(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Azure:
    if os.name == "nt":
        pytest.skip("Windows runs no script by its first line")
    folder = tmp_path / "azure"
    folder.mkdir()
    monkeypatch.setenv("PATH", str(folder), prepend=os.pathsep)
    return Azure(folder)
