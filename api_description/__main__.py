"""`python -m api_description`: write openapi.json. With `--check`, only compare it."""

import argparse
import json
import sys
from pathlib import Path
from typing import Final

from azure.functions.decorators.http import HttpTrigger

import function_app
from api_description.document import Route, openapi

FILE: Final = Path(__file__).parents[1] / "openapi.json"


def routes() -> list[Route]:
    """The HTTP functions of the app."""
    found = []
    for function in function_app.app.get_functions():
        trigger = function.get_trigger()
        if not isinstance(trigger, HttpTrigger):
            continue
        name, summary = function.get_user_function().__name__, function.get_user_function().__doc__
        for method in trigger.methods or ():
            found.append(Route(name, method.value, f"/api/{trigger.route}", summary or ""))
    return found


def main(arguments: list[str]) -> int:
    parser = argparse.ArgumentParser(prog="python -m api_description", description=__doc__)
    parser.add_argument("--check", action="store_true", help="write nothing; exit code 1 if old")
    chosen = parser.parse_args(arguments)
    text = json.dumps(openapi(routes()), indent=1, ensure_ascii=False) + "\n"
    if not chosen.check:
        FILE.write_text(text, "utf-8")
        print("openapi.json is written")
        return 0
    if FILE.exists() and FILE.read_text("utf-8") == text:
        return 0
    print("openapi.json is older than the code: python dev.py openapi", file=sys.stderr)
    return 1


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
