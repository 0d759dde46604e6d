"""Runs the Azure CLI, `az`, which has to be signed in."""

import contextlib
import json
import os
import shutil
import subprocess
import tempfile
from collections.abc import Iterator
from typing import Any


class AzureFailed(Exception):
    """A command of the Azure CLI failed; the message is what it said."""


class Secret(str):
    """An argument that is passed in a file: other processes can read the arguments of a command."""


def az(*arguments: str) -> Any:
    """The JSON that a command prints; None for nothing. Raises AzureFailed."""
    program = shutil.which("az")
    if program is None:
        raise AzureFailed("there is no `az` here: install the Azure CLI, then `az login`")
    with _in_files(arguments) as words:
        command = [program, *words, "--output", "json", "--only-show-errors"]
        done = subprocess.run(command, capture_output=True, text=True, check=False)
    if done.returncode:
        what = " ".join(word for word in arguments[:4] if not isinstance(word, Secret))
        raise AzureFailed(f"az {what}: {done.stderr.strip() or 'failed'}")
    return json.loads(done.stdout) if done.stdout.strip() else None


@contextlib.contextmanager
def _in_files(arguments: tuple[str, ...]) -> Iterator[list[str]]:
    """The arguments, with `@file` in place of each secret: az reads the value from there."""
    with tempfile.TemporaryDirectory() as folder:
        words = list(arguments)
        for index, word in enumerate(arguments):
            if isinstance(word, Secret):
                path = os.path.join(folder, str(index))
                with open(path, "w", encoding="utf-8", newline="") as file:
                    file.write(word)
                words[index] = f"@{path}"
        yield words
