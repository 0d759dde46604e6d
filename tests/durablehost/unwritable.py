"""Files and folders that cannot be written, also for root, to whom permissions mean nothing."""

import contextlib
import os
import shutil
import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest


@contextlib.contextmanager
def unwritable(path: Path) -> Iterator[None]:
    """Take the right to write away, for as long as the block lasts."""
    if hasattr(os, "geteuid") and os.geteuid() == 0:
        with _immutable(path):
            yield
        return
    mode = path.stat().st_mode
    path.chmod(mode & ~0o222)
    try:
        yield
    finally:
        path.chmod(mode)


@contextlib.contextmanager
def _immutable(path: Path) -> Iterator[None]:
    chattr = shutil.which("chattr")
    if chattr is None or subprocess.run([chattr, "+i", path], capture_output=True).returncode:
        pytest.skip("root writes everywhere here: this file system has no immutable files")
    try:
        yield
    finally:
        subprocess.run([chattr, "-i", path], check=True)
