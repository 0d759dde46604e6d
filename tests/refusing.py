"""durablehost where it cannot start: run in the process of the tests, because that is quick."""

import logging
import os
import signal
import sys
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from durablehost.__main__ import main
from tests.durablehost_process import names_its_port

Refused = Callable[..., str]


@pytest.fixture
def refused(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> Iterator[Refused]:
    """Call durablehost with arguments; what it says on its way to exit code 1."""
    environ, path, modules = dict(os.environ), list(sys.path), dict(sys.modules)
    root = logging.getLogger()
    handlers, level, interval = list(root.handlers), root.level, sys.getswitchinterval()
    handled = {number: signal.getsignal(number) for number in (signal.SIGINT, signal.SIGTERM)}

    def call(
        *arguments: str | Path, cwd: Path | None = None, port_in_settings: bool = False
    ) -> str:
        assert port_in_settings or names_its_port(arguments)
        monkeypatch.chdir(cwd or Path.cwd())
        code = main([str(each) for each in arguments])
        said = "".join(capsys.readouterr())
        assert code == 1, said
        assert "Traceback" not in said
        assert "Ready at" not in said
        return said

    yield call
    for number, handler in handled.items():
        signal.signal(number, handler)
    sys.setswitchinterval(interval)
    root.handlers[:], root.level = handlers, level
    sys.path[:] = path
    sys.modules.clear()
    sys.modules.update(modules)
    os.environ.clear()
    os.environ.update(environ)
