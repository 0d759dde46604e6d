"""Every line that an orchestrator logs begins with the id of its instance."""

import ast
from collections.abc import Iterator
from pathlib import Path

from tests.source import ROOT

LEVELS = {"debug", "info", "warning", "error", "exception"}


def lines_of_orchestrators(path: Path) -> Iterator[tuple[str, ast.Call]]:
    """The calls of `log` in functions with a parameter `context`, and where each is."""
    for function in ast.walk(ast.parse(path.read_text("utf-8"))):
        if not isinstance(function, ast.FunctionDef):
            continue
        if "context" not in {each.arg for each in function.args.args}:
            continue
        for node in ast.walk(function):
            match node:
                case ast.Call(func=ast.Attribute(value=ast.Name(id="log"), attr=level)):
                    if level in LEVELS:
                        yield f"{path.name}:{node.lineno}", node


def test_a_line_of_an_orchestrator_begins_with_the_id_of_its_instance() -> None:
    folders = (ROOT / "blueprints", ROOT / "orchestration")
    lines = [
        line
        for folder in folders
        for path in sorted(folder.glob("*.py"))
        for line in lines_of_orchestrators(path)
    ]

    against = [
        place
        for place, call in lines
        if not ast.unparse(call.args[0]).strip("'\"").startswith("%s")
        or ast.unparse(call.args[1]) != "context.instance_id"
    ]

    assert len(lines) > 12
    assert against == []
