"""What several of these tests stand on."""

import sys
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from durablehost.app.functions import FunctionTable
from durablehost.app.loading import load_app
from tests.source import ROOT

HEAD = """\
import azure.durable_functions as df
import azure.functions as func
app = df.DFApp()
"""
LoadText = Callable[..., FunctionTable]


@pytest.fixture(autouse=True)
def at_the_root(monkeypatch: pytest.MonkeyPatch) -> None:
    """Problems name files from the current folder, which tests that load an app change."""
    monkeypatch.chdir(ROOT)


@pytest.fixture
def load(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[LoadText]:
    """Loads an app from the texts of its files, below HEAD unless they begin with `#`."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(sys, "path", list(sys.path))
    modules = dict(sys.modules)

    def load_text(function_app: str, *, folder: str = "app", **others: str) -> FunctionTable:
        root = tmp_path / folder
        root.mkdir()
        text = function_app if function_app.startswith("#") else HEAD + function_app
        (root / "function_app.py").write_text(text)
        for name, content in others.items():
            (root / f"{name}.py").write_text(content)
        return load_app(root)

    yield load_text
    sys.modules.clear()
    sys.modules.update(modules)
