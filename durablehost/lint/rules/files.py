"""DUR107: files."""

import ast
from typing import Final

from durablehost.lint.app import App
from durablehost.lint.findings import Found
from durablehost.lint.rule import Example, Rule

_CALLS: Final = frozenset(
    {
        "builtins.input",
        "builtins.open",
        "bz2.open",
        "codecs.open",
        "gzip.open",
        "io.open",
        "lzma.open",
        "numpy.load",
        "pandas.read_csv",
        "pandas.read_excel",
        "pandas.read_json",
        "pandas.read_parquet",
        "sqlite3.connect",
        "tarfile.open",
        "zipfile.ZipFile",
    }
)
_OS: Final = frozenset(
    f"os.{name}"
    for name in [
        "access",
        "chmod",
        "link",
        "listdir",
        "makedirs",
        "mkdir",
        "open",
        "remove",
        "removedirs",
        "rename",
        "replace",
        "rmdir",
        "scandir",
        "stat",
        "symlink",
        "unlink",
        "walk",
    ]
) | frozenset(f"os.path.{name}" for name in ("exists", "getmtime", "getsize", "isdir", "isfile"))
_PATH: Final = frozenset(
    [
        "exists",
        "glob",
        "is_dir",
        "is_file",
        "iterdir",
        "mkdir",
        "open",
        "read_bytes",
        "read_text",
        "rename",
        "replace",
        "rglob",
        "rmdir",
        "stat",
        "touch",
        "unlink",
        "write_bytes",
        "write_text",
    ]
)


def uses_files(name: str, node: ast.expr) -> bool:
    if not isinstance(node, ast.Call):
        return False
    if name.startswith("pathlib.Path().") or name.startswith("pathlib.Path."):
        return name.rpartition(".")[2] in _PATH | {"cwd", "home"}
    starts = ("shutil.", "tempfile.", "glob.", "aiofiles.")
    return name in _CALLS | _OS or name.startswith(starts)


def check(app: App) -> list[Found]:
    return list(app.forbidden(uses_files, "Each replay does it again. Do it in an activity."))


RULE = Rule(
    code="DUR107",
    name="files",
    sentence="An orchestrator reads or writes a file.",
    why="""\
Each replay does it again, on whichever machine it runs, and may read something else than the
first time. It also blocks the thread on which the other orchestrators of the process run. Read
and write files in activities.""",
    valid=[
        Example("""\
@app.activity_trigger(input_name="name")
def load_price(name):
    with open(name) as prices:
        return prices.read()


@app.orchestration_trigger(context_name="context")
def order(context):
    price = yield context.call_activity(load_price, "prices.txt")
    return price
"""),
    ],
    invalid=[
        Example("""\
def load_price(name):
    with open(name) as prices:  # here
        return prices.read()


@app.orchestration_trigger(context_name="context")
def order(context):
    yield context.call_activity("ship", load_price("prices.txt"))
"""),
    ],
    check=check,
)
