"""Loads the app as `durablehost start` does, and keeps what that says of it."""

import contextlib
import logging
import os
import re
import sys
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path, PurePath
from typing import Final

from durablehost.app.functions import Kind, LeftOut
from durablehost.app.loading import load_app, script_name
from durablehost.errors import AppDoesNotLoad, CannotStart
from durablehost.settings.local_settings import read_local_settings

_PLACE: Final = re.compile(r"^  at (.+):(\d+)$", re.MULTILINE)
_WARNING: Final = re.compile(r"(.+?):(\d+): (.+)", re.DOTALL)
_KINDS: Final[tuple[Kind, ...]] = ("orchestration", "activity", "entity")


@dataclass(frozen=True)
class Complaint:
    """What loading says, and the line it is about."""

    path: PurePath
    line: int
    message: str


@dataclass(frozen=True)
class Loading:
    """What came of loading an app."""

    refused: Sequence[Complaint] = ()  # why no function of the app loads
    left_out: Sequence[Complaint] = ()  # functions that the host leaves out, or that always fail
    names: dict[Kind, list[str]] | None = None  # of all durable functions, if it loads
    files: Sequence[PurePath] = ()  # where its functions stand
    note: str = ""  # why nothing can be said


def script_of(folder: Path) -> str:
    """The file that holds the app object: `function_app.py` unless a setting names another."""
    settings = dict(os.environ)
    with contextlib.suppress(CannotStart):  # `load` says so
        read_local_settings(folder, settings)
    return script_name(settings)


def load(folder: Path) -> Loading:
    """Import the app, which runs its top-level code; what it prints goes to stderr."""
    began_in, environment = Path.cwd(), dict(os.environ)
    try:
        with contextlib.redirect_stdout(sys.stderr), _quiet_log():
            read_local_settings(folder, os.environ)
            table = load_app(folder, script_name(os.environ))
    except AppDoesNotLoad as error:
        missing = error.__cause__
        if isinstance(missing, ModuleNotFoundError) and not _is_own(missing.name, folder):
            return Loading(note=f"The app was not loaded: there is no module {missing.name} here.")
        return Loading(refused=_complaints(str(error)))
    except CannotStart as error:
        return Loading(note=f"The app was not loaded: {error}")
    finally:
        os.chdir(began_in)
        os.environ.clear()  # of the settings of this app: the next one has others
        os.environ.update(environment)
    left_out = [_of_left_out(each) for each in table.left_out if not _lacks_setting(each)]
    warnings = [_of_warning(each) for each in table.warnings]
    names = {kind: table.durable_names(kind) for kind in _KINDS}
    for each in table.left_out:
        if each.kind in names:
            names[each.kind].append(each.durable_name)
    places = [each.place for each in table.functions] + [each.place for each in table.left_out]
    complaints = [*left_out, *filter(None, warnings)]
    return Loading(
        left_out=complaints, names=names, files=[PurePath(place.file) for place in places]
    )


@contextlib.contextmanager
def _quiet_log() -> Iterator[None]:
    """Drop log lines, such as a warning of the SDK about every app without HTTP functions."""
    nowhere = logging.NullHandler()
    logging.getLogger().addHandler(nowhere)
    try:
        yield
    finally:
        logging.getLogger().removeHandler(nowhere)


def _is_own(name: str | None, folder: Path) -> bool:
    """Whether a missing module would be one of the app's, so that its name is misspelt."""
    return (folder / (name or "").partition(".")[0]).exists()


def _lacks_setting(left_out: LeftOut) -> bool:
    """Whether it only lacks a setting, which the machine that lints need not have."""
    return "%" in left_out.says and "resolve" in left_out.says


def _complaints(text: str) -> list[Complaint]:
    """One complaint for each place that the text names."""
    found = []
    for block in text.split("\n\n"):
        if place := _PLACE.search(block):
            words = _PLACE.sub("", block).split("\n")
            says = " ".join(word.strip() for word in words if word.strip())
            found.append(Complaint(PurePath(place[1]), int(place[2]), says))
    return found or [Complaint(PurePath("function_app.py"), 1, " ".join(text.split()))]


def _of_left_out(left_out: LeftOut) -> Complaint:
    place = left_out.place
    return Complaint(PurePath(place.file), place.line, f"{left_out.says} {left_out.advice}")


def _of_warning(warning: str) -> Complaint | None:
    """Warnings begin with their place. DUR112 and DUR603 report async orchestrators and "
    "entities."""
    parts = _WARNING.fullmatch(warning)
    if parts is None or " is an async " in warning:
        return None
    return Complaint(PurePath(parts[1]), int(parts[2]), parts[3])
