"""Every line that the app logs begins with the id of what it is about."""

import ast
from collections.abc import Iterator

from tests.source import ROOT

LEVELS = {"debug", "info", "warning", "error", "exception"}
FOLDERS = ("activities", "blueprints", "http_api", "orchestration")
# Outside of orchestrators: an instance, the folder of a file that starts none, an HTTP function.
OTHER_IDS = {"instance_id", "folder", "function.__name__"}


def functions_of(tree: ast.AST) -> Iterator[tuple[str, ast.AST]]:
    """The functions with a parameter `context`, and then the module."""
    for node in ast.walk(tree):
        if isinstance(node, ast.FunctionDef) and "context" in {a.arg for a in node.args.args}:
            yield "context.instance_id", node
    yield "", tree


def lines_of_app() -> Iterator[tuple[str, str, ast.Call]]:
    """Each call of `log` once: where it is, the id that it has to begin with, and the call."""
    for path in sorted(path for folder in FOLDERS for path in (ROOT / folder).glob("*.py")):
        seen: set[ast.Call] = set()
        for wanted, function in functions_of(ast.parse(path.read_text("utf-8"))):
            for node in ast.walk(function):
                match node:
                    case ast.Call(func=ast.Attribute(value=ast.Name(id="log"), attr=level)):
                        if level in LEVELS and node not in seen:
                            seen.add(node)
                            yield f"{path.name}:{node.lineno}", wanted, node


def begins_with_id(wanted: str, place: str, call: ast.Call) -> bool:
    message = ast.literal_eval(call.args[0])
    if message.startswith("%s: "):
        first = ast.unparse(call.args[1])
        return first == wanted if wanted else first in OTHER_IDS
    return not wanted and bool(message.startswith(place.partition(".")[0] + ": "))


def test_a_line_begins_with_the_id_of_its_instance_or_of_what_it_is_about() -> None:
    lines = list(lines_of_app())

    against = [place for place, wanted, call in lines if not begins_with_id(wanted, place, call)]

    assert len(lines) > 20
    assert against == []
