"""`durablehost new`: copies one of the templates, a small app for one pattern and its tests."""

import ast
import shlex
import shutil
from importlib.resources import as_file, files
from importlib.resources.abc import Traversable
from pathlib import Path
from typing import Final

from durablehost.command import console
from durablehost.errors import CannotStart

DEFAULT: Final = "chaining"
_SHARED: Final = "shared"  # what every app needs, whatever its pattern
_TEMPLATES: Final = files("durablehost") / "templates"


def patterns() -> list[str]:
    """Return the names of the templates, sorted."""
    found = (template.name for template in _TEMPLATES.iterdir() if _app(template).is_file())
    return sorted(found)


def about(pattern: str) -> str:
    """Return the first line of a template's app, a sentence about the pattern."""
    docstring = ast.get_docstring(ast.parse(_app(_TEMPLATES / pattern).read_text("utf-8")))
    assert docstring, f"the template {pattern} has a docstring"
    return docstring.splitlines()[0]


def create(folder: Path, pattern: str) -> None:
    """Copy a template into a new or empty folder. Raises CannotStart if that is not possible."""
    if pattern not in patterns():
        raise CannotStart(
            f"There is no template '{pattern}'. The templates are: {', '.join(patterns())}."
        )
    if folder.is_file() or (folder.is_dir() and any(folder.iterdir())):
        raise CannotStart(f"{folder} is not empty. Name a folder that does not exist yet.")
    try:
        folder.mkdir(parents=True, exist_ok=True)
        for source in (_SHARED, pattern):  # the pattern's own file replaces a shared one
            with as_file(_TEMPLATES / source) as template:
                ignored = shutil.ignore_patterns("__pycache__")
                shutil.copytree(template, folder, dirs_exist_ok=True, ignore=ignored)
        settings = folder / "local.settings.json"
        shutil.copyfile(f"{settings}.example", settings)
    except OSError as error:
        raise CannotStart(f"{folder} cannot be written: {error}.") from None


def show_patterns() -> None:
    """Print one line for each template."""
    width = max(map(len, patterns()))
    for pattern in patterns():
        console.say(f"{pattern:<{width}}  {about(pattern)}")


def show_created(folder: Path, pattern: str) -> None:
    """Print what was created, and the next commands."""
    console.say(f"Created {folder} ({pattern}). Next:")
    console.say("")
    console.say(f"  cd {shlex.quote(str(folder))}")
    console.say("  python -m durablehost start     serves the app; README.md has a request to send")
    console.say("  python -m pytest                runs its tests")


def _app(template: Traversable) -> Traversable:
    return template / "function_app.py"
