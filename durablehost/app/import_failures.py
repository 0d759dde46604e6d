"""Advice for an app that raises while it is imported: what to install, to move or to write."""

import inspect
import os
import re
import sys
import traceback
from collections.abc import Mapping
from pathlib import Path
from typing import Final

from azure.functions.decorators.function_app import FunctionRegister

from durablehost.app import advice

_SDK: Final = "azure.durable_functions"
# Names of azure-functions-durable 2.x that 1.x does not have at this place, and what 1.x has.
OF_2X: Final[Mapping[str, str]] = {
    "DurableFunctionsClient": "`df.DurableOrchestrationClient`",
    "SyncDurableFunctionsClient": "`df.DurableOrchestrationClient`, in an `async def` function",
    "DurableHttpRequest": "`context.call_http(method, uri, content, headers)`",
    "DurableHttpResponse": "the dictionary that `context.call_http` returns",
    "DurableOrchestrationStatus": f"`{_SDK}.models.DurableOrchestrationStatus`",
    "EntityStateResponse": f"`{_SDK}.models.EntityStateResponse`",
    "PurgeHistoryResult": f"`{_SDK}.models.PurgeHistoryResult`",
    "RetryPolicy": "`df.RetryOptions(first_retry_interval_in_milliseconds=..., "
    "max_number_of_attempts=...)`",
    "TokenSource": f"`{_SDK}.models.TokenSource`",
}


def advice_on_import(
    error: BaseException, folder: Path, frames: traceback.StackSummary
) -> str | None:
    """Advice for an error, or for the one that it was raised from; None if there is none."""
    if isinstance(error, ModuleNotFoundError) and error.name:
        return _on_missing_module(error.name, folder)
    if isinstance(error, (AttributeError, ImportError)) and (advised := on_2x_name(error)):
        return advised
    last = frames[-1].filename if frames else ""
    if isinstance(error, KeyError) and last in (os.__file__, "<frozen os>"):
        name = error.args[0]
        return f'Put `"{name}": "..."` under `Values` in local.settings.json.'
    if isinstance(error, IndexError) and last == inspect.getsourcefile(FunctionRegister):
        return advice.ON_EMPTY_REGISTER
    cause = error.__cause__ or (None if error.__suppress_context__ else error.__context__)
    if cause is not None:
        return advice_on_import(cause, folder, traceback.extract_tb(cause.__traceback__))
    return None


def on_2x_name(error: BaseException) -> str | None:
    """Advice for a name that only azure-functions-durable 2.x has; None for any other error."""
    words = str(error)
    name = next((name for name in OF_2X if f"'{name}'" in words), None)
    if name is None or _SDK not in words:
        return None
    return (
        f"`{name}` is a name of azure-functions-durable 2.x. durablehost serves 1.x, where you"
        f" write {OF_2X[name]}."
    )


def _on_missing_module(name: str, folder: Path) -> str:
    top = name.partition(".")[0]
    if top == "durabletask":
        return (
            "`durabletask` belongs to azure-functions-durable 2.x. durablehost serves 1.x, where"
            " everything comes from `azure.durable_functions`."
        )
    if (folder / top).exists():
        return f"`{top}` is a folder of the app: check the spelling of `{name}`."
    elsewhere = [*folder.glob(f"[!.]*/{top}"), *folder.glob(f"[!.]*/{top}.py")]
    if elsewhere and not (elsewhere[0].parent / "pyvenv.cfg").exists():
        return _on_module_in_folder(name, elsewhere[0])
    installing = (
        f"install it for the Python that runs durablehost: `{sys.executable} -m pip install"
    )
    if (folder / "requirements.txt").exists():
        return f"Add its package to requirements.txt, and {installing} -r requirements.txt`"
    if (folder / "pyproject.toml").exists():
        return f"Add its package to the dependencies in pyproject.toml, and {installing} PACKAGE`"
    return f"Write its package into a requirements.txt, and {installing} -r requirements.txt`"


def _on_module_in_folder(name: str, found: Path) -> str:
    """Advice for a module that is in a folder of the app, but not next to function_app.py."""
    top, inside = name.partition(".")[0], found.parent.name
    where = (
        f"`{top}` is in the folder `{inside}`, but Python looks for modules next to function_app.py"
    )
    if _imports_itself(top, found):
        return f"{where}: move `{top}` there. Its own modules import `{top}`, too."
    return f"{where}: import `{inside}.{name}`, or move `{top}` there."


def _imports_itself(top: str, found: Path) -> bool:
    """Whether a module of a package imports the package by its name."""
    imports = re.compile(rf"^\s*(?:from|import)\s+{re.escape(top)}\b", re.MULTILINE)
    return any(
        imports.search(file.read_text(encoding="utf-8", errors="replace"))
        for file in found.rglob("*.py")
    )
