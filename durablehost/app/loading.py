"""Loads an app: from a folder, as the real host does, or from an app object, for tests."""

import ast
import importlib
import os
import sys
import traceback
from collections.abc import Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from types import ModuleType
from typing import Any, cast

import azure.functions as func
from azure.functions.decorators.function_app import Function as SdkFunction
from azure.functions.decorators.function_app import FunctionRegister

from durablehost import sdk_patches
from durablehost.app import advice
from durablehost.app.functions import FunctionTable, Place
from durablehost.app.import_failures import advice_on_import
from durablehost.app.indexing import NOTHING_LOADS, build_table, complaint
from durablehost.app.source import decorators_of, place_of, relative, user_function_of
from durablehost.errors import AppDoesNotLoad

# The app folder last loaded from, and the modules that came out of it.
_loaded: dict[Path, set[str]] = {}


def script_name(environ: Mapping[str, str]) -> str:
    """The file with the app object: `function_app.py`, unless a setting names another one."""
    return environ.get("PYTHON_SCRIPT_FILE_NAME") or "function_app.py"


def load_app(folder: Path, script: str = "function_app.py") -> FunctionTable:
    """Import the app in `folder` and find its functions; the folder becomes the current one.

    Raises AppDoesNotLoad where on Azure no function would load.
    """
    folder = folder.resolve()
    path = folder / script
    if not path.is_file():
        raise AppDoesNotLoad(_no_script(folder, script))
    os.chdir(folder)
    return index_app(_find_app(_import(path), path), folder)


def index_app(app: FunctionRegister, folder: Path | None = None) -> FunctionTable:
    """The functions of an app object; asked again, the same ones.

    Raises AppDoesNotLoad where on Azure no function would load.
    """
    table = sdk_patches.remembered_table(app)
    if table is None:
        table = replace(build_table(_functions_of(app)), folder=folder)
        sdk_patches.remember_table(app, table)
    return cast(FunctionTable, table)


def table_of(app: object) -> FunctionTable:
    """The functions of an app object or of an app's folder; a table is one already."""
    if isinstance(app, FunctionTable):
        return app
    if isinstance(app, (str, Path)):
        return load_app(Path(app))
    return index_app(cast(FunctionRegister, app))  # anything else fails in `index_app`


def _no_script(folder: Path, script: str) -> str:
    if any(folder.glob("*/function.json")):
        return (
            f"{folder} contains an app of the v1 programming model (function.json files)\n"
            "  durablehost runs the v2 model: functions declared by decorators in function_app.py."
        )
    return (
        f"there is no {script} in {folder}\n"
        "  Name the folder that contains it, or set PYTHON_SCRIPT_FILE_NAME to the file's name.\n\n"
        f"{NOTHING_LOADS}"
    )


def _import(path: Path) -> ModuleType:
    _forget_other_apps(path)
    folder = str(path.parent)
    if folder in sys.path:
        sys.path.remove(folder)
    sys.path.insert(0, folder)
    importlib.invalidate_caches()
    before = set(sys.modules)
    try:
        return importlib.import_module(path.stem)
    except (Exception, SystemExit) as error:  # code of the app; the worker reports what it raises
        raise AppDoesNotLoad(_import_failure(error, path)) from error
    finally:
        own = {name for name in set(sys.modules) - before if _is_below(sys.modules[name], folder)}
        _loaded.setdefault(path.parent, set()).update(own)


def _is_below(module: ModuleType, folder: str) -> bool:
    file = getattr(module, "__file__", None)
    return file is not None and _is_own(file, Path(folder))


def _is_own(file: str, folder: Path) -> bool:
    path = Path(file)
    return path.is_relative_to(folder) and "site-packages" not in path.parts


def _forget_other_apps(path: Path) -> None:
    """Remove modules of other apps, so that this app does not import them by their names."""
    for folder in [folder for folder in _loaded if folder != path.parent]:
        for name in _loaded.pop(folder):
            sys.modules.pop(name, None)
        if str(folder) in sys.path:
            sys.path.remove(str(folder))
    module = sys.modules.get(path.stem)
    if module is not None and getattr(module, "__file__", None) != str(path):
        del sys.modules[path.stem]


def _import_failure(error: BaseException, path: Path) -> str:
    says = f"{type(error).__name__}: {error}"
    if isinstance(error, SyntaxError) and error.filename:
        where = str(Place(relative(error.filename), error.lineno or 1))
        advised = f"Correct this line: `{(error.text or '').strip()}`"
    else:
        frames = traceback.extract_tb(error.__traceback__)
        where = _where(frames, path)
        advised = advice_on_import(error, path.parent, frames) or (
            "Nothing of the app loads until this line runs without an error."
        )
    return f"{complaint(says, where, advised)}\n\n{NOTHING_LOADS}"


def _where(frames: traceback.StackSummary, path: Path) -> str:
    """The last line of the app that ran, and the line of its script that led there.

    The last one can be in a package that was copied into the app's folder. Then the mistake is
    more likely in the script.
    """
    own = [frame for frame in frames if _is_own(frame.filename, path.parent)]
    if not own:
        return str(Place(path.name, 1))
    places = [Place(relative(frame.filename), frame.lineno or 1) for frame in own]
    of_script = [place for place in places if place.file == path.name]
    if of_script and places[-1].file != path.name:
        return f"{places[-1]}\n  run from {of_script[-1]}"
    return str(places[-1])


def _find_app(module: ModuleType, path: Path) -> FunctionRegister:
    """Find the only app of a module. The worker counts two names for one app as two apps."""
    apps = {n: value for n, value in vars(module).items() if isinstance(value, FunctionRegister)}
    if len(apps) == 1:
        return next(iter(apps.values()))
    if not apps:
        says = f"ValueError: Could not find top level function app instances in {path.name}."
        has_blueprint = any(isinstance(value, func.Blueprint) for value in vars(module).values())
        advised = (
            "A blueprint is not an app: write `app = df.DFApp()` and `app.register_functions(...)`."
            if has_blueprint
            else "Write `app = df.DFApp()` at the top level of the file."
        )
        place = Place(path.name, 1)
    else:
        first, second = list(apps)[:2]
        says = (
            f"ValueError: More than one {type(apps[first]).__name__} or other top level function "
            "app instances are defined."
        )
        advised = (
            f"Keep `{first}` and make `{second}` a `df.Blueprint()`, registered with "
            f"`{first}.register_functions({second})`."
            if apps[first] is not apps[second]
            else f"`{first}` and `{second}` are two names for one app: keep one."
        )
        place = Place(path.name, _line_of_name(path, second))
    raise AppDoesNotLoad(f"{complaint(says, place, advised)}\n\n{NOTHING_LOADS}")


def _line_of_name(path: Path, name: str) -> int:
    """Return the line at the top level of a file that last binds this name."""
    line = 1
    for statement in ast.parse(path.read_bytes()).body:
        named = {n.id for n in ast.walk(statement) if isinstance(n, ast.Name)}
        named |= {a.asname or a.name for a in ast.walk(statement) if isinstance(a, ast.alias)}
        binds = isinstance(statement, (ast.Assign, ast.AnnAssign, ast.ImportFrom, ast.Import))
        if binds and name in named:
            line = statement.lineno
    return line


def _functions_of(app: FunctionRegister) -> list[SdkFunction]:
    try:
        return list(app.get_functions())
    except ValueError as error:  # two with one name, one without a trigger, or a second call
        builders = sdk_patches.builders_of(app)
        if builders is None:
            raise AppDoesNotLoad(f"{type(error).__name__}: {error}\n\n{NOTHING_LOADS}") from error
        if unlistable := _unlistable(builders):
            says = f"{type(error).__name__}: {error}"
            message = complaint(says, *unlistable)
            raise AppDoesNotLoad(f"{message}\n\n{NOTHING_LOADS}") from error
        return [builder.build(app.auth_level) for builder in builders]


def _unlistable(builders: Sequence[Any]) -> tuple[Place, str] | None:
    """Find the function that the SDK cannot list. Returns its place and what to write instead."""
    seen: dict[str, Place] = {}
    for builder in builders:
        function = sdk_patches.function_of(builder)
        name = str(function.get_function_name())
        user_function = user_function_of(function.get_user_function())
        place = place_of(user_function)
        if function.get_trigger() is None:
            return place, advice.on_no_trigger(decorators_of(user_function))
        if name in seen:
            return place, (
                f"`{name}` is already defined at {seen[name]}. The app and its blueprints share "
                'their names: rename one, or write `@app.function_name("...")` above it.'
            )
        seen[name] = place
    return None
