"""Which operations an entity's code names."""

import ast
import inspect
import textwrap

from durablehost.app.functions import Function


def operations_of(function: Function) -> list[str]:
    """The texts that the code compares with something: `case "add"`, `operation == "add"`."""
    if function.user_function is None:
        return []
    try:
        tree = ast.parse(textwrap.dedent(inspect.getsource(function.user_function)))
    except (OSError, SyntaxError):  # there is no source, or it has changed since
        return []
    found: list[ast.expr] = []
    for node in ast.walk(tree):
        if isinstance(node, ast.MatchValue):
            found.append(node.value)
        elif isinstance(node, ast.Compare):
            found += [node.left, *node.comparators]
    texts = [one.value for one in found if isinstance(one, ast.Constant)]
    return list(dict.fromkeys(text for text in texts if isinstance(text, str)))
