"""Reads the requests and answers of a page in docs/patterns, and holds answers against it.

In a page, an ```http block that begins with a method is a request, and one that begins with
`HTTP/1.1` is the answer to it. In an answer `…` stands for any text, `"…": "…"` for further
members of an object, and `<name>` for text that later requests use again. The comment
`<!-- later: hours=3 -->` lets time pass; `<!-- needs: azurite -->` says what the page needs.
"""

import json
import re
from dataclasses import dataclass, field
from datetime import timedelta
from pathlib import Path
from typing import Any, Final

SANDBOX: Final = "http://localhost:7072"

_PARTS: Final = re.compile(r"^```http\n(.*?)^```|^<!-- later: (\w+)=(\d+) -->", re.M | re.S)
_NAME: Final = re.compile(r"<(\w+)>")


@dataclass(frozen=True)
class Request:
    method: str
    target: str
    headers: dict[str, str]
    body: str


@dataclass(frozen=True)
class Expected:
    status: int
    headers: dict[str, str]
    body: Any


Step = Request | Expected | timedelta


@dataclass
class Names:
    """The texts that `<name>` stood for so far."""

    known: dict[str, str] = field(default_factory=dict)

    def filled(self, text: str) -> str:
        return _NAME.sub(lambda found: self.known[found[1]], text)

    def matches(self, pattern: str, text: str) -> bool:
        """Whether a text is as the page has it; keeps what its names stood for."""
        expression = re.escape(pattern).replace(re.escape("…"), ".*")
        expression = _NAME.sub(lambda found: f"(?P<{found[1]}>.+)", expression)
        found = re.fullmatch(expression, text, re.S)
        if found:
            self.known |= found.groupdict()
        return found is not None


def read_page(page: Path) -> list[Step]:
    """What a page does, from top to bottom."""
    steps: list[Step] = []
    for block, unit, amount in _PARTS.findall(page.read_text("utf-8")):
        if unit:
            steps.append(timedelta(**{unit: int(amount)}))
        else:
            steps.append(_expected(block) if block.startswith("HTTP/1.1 ") else _request(block))
    return steps


def read_http_file(file: Path) -> list[Request]:
    """The requests of a file of VS Code's REST client; its variables look as in a page.

    Those to the app have the header `x-functions-key: <key>`, which a page leaves out.
    """
    text = file.read_text("utf-8")
    hosts = {"{{host}}": "", "{{sandbox}}": SANDBOX}
    blocks = [block.partition("\n")[2] for block in re.split(r"^###", text, flags=re.M)[1:]]
    requests = []
    for block in blocks:
        for name, address in hosts.items():
            block = block.replace(name, address)
        requests.append(_request(re.sub(r"\{\{(\w+)\}\}", r"<\1>", block)))
    return requests


def difference(expected: Any, actual: Any, names: Names, place: str = "") -> str:
    """Where an answer is not as the page has it; empty where it is."""
    if isinstance(expected, dict) and isinstance(actual, dict):
        return _difference_of_objects(expected, actual, names, place)
    if isinstance(expected, list) and isinstance(actual, list) and len(expected) == len(actual):
        pairs = enumerate(zip(expected, actual, strict=True))
        found = (difference(one, other, names, f"{place}[{at}]") for at, (one, other) in pairs)
        return next(filter(None, found), "")
    if expected == "…" or expected == actual:
        return ""
    if isinstance(expected, str) and isinstance(actual, str) and names.matches(expected, actual):
        return ""
    return f"{place or 'the body'} is {actual!r}, the page says {expected!r}"


def _difference_of_objects(
    expected: dict[str, Any], actual: dict[str, Any], names: Names, place: str
) -> str:
    wanted = {name: value for name, value in expected.items() if name != "…"}
    missing = wanted.keys() - actual.keys()
    more = actual.keys() - wanted.keys() if "…" not in expected else set()
    if missing or more:
        return f"{place or 'the body'}: not there {sorted(missing)}, not on the page {sorted(more)}"
    found = (difference(wanted[name], actual[name], names, f"{place}.{name}") for name in wanted)
    return next(filter(None, found), "")


def _request(block: str) -> Request:
    first, headers, body = _split(block)
    method, _, target = first.partition(" ")
    return Request(method, target, headers, body)


def _expected(block: str) -> Expected:
    first, headers, body = _split(block)
    return Expected(int(first.split()[1]), headers, json.loads(body) if body else None)


def _split(block: str) -> tuple[str, dict[str, str], str]:
    head, _, body = block.strip().partition("\n\n")
    first, *lines = head.splitlines()
    headers = dict(line.split(": ", 1) for line in lines)
    return first, headers, body.strip()
