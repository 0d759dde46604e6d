"""`python -m deployment.kql`: check docs/queries with Microsoft's parser of KQL.

It finds errors of syntax, unknown functions, tables and columns, but does not know what is in
`customDimensions`. The parser is a package of npm, which the first check installs into `.tools`.
Without Node nothing is checked.
"""

import shutil
import subprocess
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Final

ROOT: Final = Path(__file__).resolve().parents[1]
QUERIES: Final = ROOT / "docs" / "queries"
PARSER: Final = ROOT / ".tools" / "node_modules" / "@kusto" / "language-service-next"

_PACKAGE: Final = "@kusto/language-service-next@12.4.1"
_CHECKS: Final = Path(__file__).with_name("kql.js")


def install() -> str:
    """Install the parser if it is missing. Returns why it cannot be used; empty if it can."""
    node, npm = shutil.which("node"), shutil.which("npm")
    if not node or not npm:
        return "Node is not installed"
    if PARSER.exists():
        return ""
    quietly = ["--no-save", "--no-package-lock", "--no-audit", "--no-fund", "--loglevel=error"]
    folder = PARSER.parents[2]
    folder.mkdir(exist_ok=True)
    asked = [npm, "install", "--prefix", str(folder), *quietly, _PACKAGE]
    done = subprocess.run(asked, stdout=subprocess.DEVNULL, check=False)
    return "npm could not install the parser of KQL" if done.returncode else ""


def complaints(queries: Sequence[Path]) -> list[str]:
    """What is wrong with these queries: a line for each error."""
    asked: list[str | Path] = [shutil.which("node") or "node", _CHECKS, PARSER, *queries]
    done = subprocess.run(asked, capture_output=True, text=True, encoding="utf-8", check=False)
    if done.returncode:
        return [done.stderr.strip()]
    return done.stdout.splitlines()


def main() -> int:
    if why_not := install():
        print(f"docs/queries is not checked: {why_not}")
        return 0
    found = complaints(sorted(QUERIES.glob("*.kql")))
    for line in found:
        print(line)
    if not found:
        print("docs/queries is valid KQL")
    return 1 if found else 0


if __name__ == "__main__":
    sys.exit(main())
