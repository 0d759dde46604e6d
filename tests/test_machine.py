"""The tests do not depend on the machine: what they start listens on any port that is free."""

import ast
from collections.abc import Iterator

import pytest

from tests.durablehost_process import launch
from tests.source import ROOT

# The recordings' probe apps and their driver name the ports that they were recorded with.
RECORDED = ROOT / "tests" / "conformance"
FILES = [
    path
    for path in sorted((ROOT / "tests").rglob("*.py"))
    if RECORDED not in path.parents or path.name.startswith("test_")
]
LISTENERS = ("create_server", "bind", "start_server", "TCPSite", "TestServer", "Server")


def fixed_ports(source: str) -> Iterator[str]:
    """Where something is told to listen on a port that is written there."""
    for node in ast.walk(ast.parse(source)):
        if isinstance(node, ast.Call):
            if ast.unparse(node.func).rpartition(".")[2] in LISTENERS:
                given = [*node.args, *(k.value for k in node.keywords if k.arg == "port")]
                given += [
                    each for one in node.args if isinstance(one, ast.Tuple) for each in one.elts
                ]
                yield from (ast.unparse(node) for one in given if is_port(one))
            yield from after_option(node.args)
        elif isinstance(node, (ast.List, ast.Tuple)):
            yield from after_option(node.elts)


def after_option(values: list[ast.expr]) -> Iterator[str]:
    for option, value in zip(values, values[1:], strict=False):
        if isinstance(option, ast.Constant) and option.value == "--port" and is_port(value):
            yield f"--port {ast.unparse(value)}"


def is_port(value: ast.expr) -> bool:
    text = str(value.value) if isinstance(value, ast.Constant) else ""
    return text.isdigit() and 0 < int(text) < 65536


def test_nothing_listens_on_a_port_that_is_written_in_a_test() -> None:
    found = {str(path): list(fixed_ports(path.read_text("utf-8"))) for path in FILES}

    assert {name: ports for name, ports in found.items() if ports} == {}


@pytest.mark.parametrize(
    "source",
    [
        "socket.create_server(('127.0.0.1', 7071))",
        "web.TCPSite(runner, '127.0.0.1', 7071)",
        "Server(app, port=7071)",
        "outcome('start', folder, '--port', '7071')",
        "command = ['start', '--port', '7071']",
    ],
)
def test_a_port_that_is_written_there_is_noticed(source: str) -> None:
    assert len(list(fixed_ports(source))) == 1


def test_durablehost_is_not_started_on_its_default_port() -> None:
    with pytest.raises(AssertionError):
        launch("start", ROOT)
