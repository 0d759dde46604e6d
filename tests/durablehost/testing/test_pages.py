"""The examples of the pages about testing: each one runs as it stands on the page."""

import inspect
import os
import re
import subprocess
import sys
from pathlib import Path

import pytest

from durablehost.testing import ManualHub, SyncHub
from tests.source import ROOT

PAGES = ("testing", "from-mocks")


def page(name: str) -> str:
    return (ROOT / "docs" / f"{name}.md").read_text("utf-8")


def files_of(name: str) -> dict[str, str]:
    """The files that a page shows, by the names in their first lines."""
    blocks = re.findall(r"^```python\n(# (\S+)\n.*?)^```", page(name), re.MULTILINE | re.DOTALL)
    files = {file: text for text, file in blocks}
    assert len(files) == page(name).count("```python\n"), "an example has no file name"
    return files


@pytest.mark.parametrize("name", PAGES)
def test_every_example_of_a_page_runs_without_configuration_or_warning(
    tmp_path: Path, name: str
) -> None:
    tests = 0
    for file, text in files_of(name).items():
        path = tmp_path / file
        path.parent.mkdir(exist_ok=True)
        path.write_text(text)
        tests += len(re.findall(r"^(?:async )?def test_", text, re.MULTILINE))
    environ = {key: os.environ[key] for key in os.environ if not key.startswith("PYTEST")}
    options = ["-W", "error", "-p", "no:asyncio", "-p", "no:cacheprovider"]
    done = subprocess.run(
        [sys.executable, "-m", "pytest", "-q", *options],
        cwd=tmp_path,
        env=environ,
        capture_output=True,
        text=True,
    )

    assert (done.returncode, f"{tests} passed" in done.stdout) == (0, True), done.stdout


def test_the_reference_names_every_method_and_no_other() -> None:
    named = set(re.findall(r"\b(?:hub|sync_hub)\.(\w+)\(", page("testing")))
    methods = {
        name
        for form in (ManualHub, SyncHub)
        for name, _ in inspect.getmembers(form, callable)
        if not name.startswith("_")
    }

    # The fixtures do this, `async with`, and `pytest --keep-hub`.
    for_pytest = {"close", "disconnect", "keep", "shut", "unexpected_problems"}
    assert named == methods - for_pytest
