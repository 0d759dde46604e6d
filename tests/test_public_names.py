"""The app uses public names of the SDK and of other packages only.

A private name can change in any release. A module that is gone keeps every function of the app
from loading, and a name that is gone fails where it is used.
"""

import ast
from collections.abc import Iterator

from tests.source import ROOT, modules_below

PACKAGES = ("activities", "blueprints", "http_api", "orchestration")
SOURCES = [path for name in PACKAGES for path in modules_below(ROOT / name).values()]
# What each of these exports from its top level is all that its documentation promises.
EXPORTS_AT_TOP_ONLY = ("azure.durable_functions", "azure.functions")


def private_uses(source: str) -> Iterator[str]:
    """The imports and attributes of some code that are private to another package."""
    tree = ast.parse(source)
    own = _defined_in(tree)
    for node in ast.walk(tree):
        match node:
            case ast.Import(names=names):
                yield from (each.name for each in names if _is_private_module(each.name))
            case ast.ImportFrom(module=str(module), names=names):
                if _is_private_module(module) or any(_is_private(each.name) for each in names):
                    yield module
            case ast.Attribute(attr=name) if _is_private(name) and name not in own:
                yield ast.unparse(node)


def _defined_in(tree: ast.Module) -> set[str]:
    """The names that a module defines: functions, classes, fields, and attributes of `self`."""
    own = set()
    for node in ast.walk(tree):
        match node:
            case ast.FunctionDef(name=name) | ast.AsyncFunctionDef(name=name):
                own.add(name)
            case ast.ClassDef(name=name) | ast.Name(id=name, ctx=ast.Store()):
                own.add(name)
            case ast.Attribute(value=ast.Name(id="self"), attr=name, ctx=ast.Store()):
                own.add(name)
    return own


def _is_private(name: str) -> bool:
    return name.startswith("_") and not name.endswith("__")


def _is_private_module(module: str) -> bool:
    deep = any(module.startswith(f"{top}.") for top in EXPORTS_AT_TOP_ONLY)
    return deep or any(_is_private(part) for part in module.split("."))


def test_the_app_uses_no_private_name_of_another_package() -> None:
    used = {
        f"{path.relative_to(ROOT)}: {use}"
        for path in [ROOT / "function_app.py", *SOURCES]
        for use in private_uses(path.read_text("utf-8"))
    }

    assert used == set()


def test_private_names_are_found_in_each_form_of_using_them() -> None:
    source = (
        "import azure.durable_functions as df\n"
        "import azure.durable_functions.models.Task\n"
        "from azure.durable_functions.models.utils import http_utils\n"
        "from aiohttp import _websocket\n"
        "class Mine:\n"
        "    def __init__(self): self._own = df.EntityId('a', 'b')\n"
        "    def _look(self): return self._own, self._orchestration_bindings\n"
        "client._orchestration_bindings.rpc_base_url\n"
        "http_utils._get_session()\n"
        "Mine()._look().__class__\n"
    )

    assert sorted(private_uses(source)) == [
        "aiohttp",
        "azure.durable_functions.models.Task",
        "azure.durable_functions.models.utils",
        "client._orchestration_bindings",
        "http_utils._get_session",
        "self._orchestration_bindings",
    ]
