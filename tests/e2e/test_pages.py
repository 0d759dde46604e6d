"""Every request on a pattern's page is sent, and answered as the page says."""

import json
import re
from collections.abc import Iterator
from dataclasses import replace
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest

from activities import clock
from durablehost.app.functions import FunctionTable
from durablehost.testing import ManualHub
from tests.outside import Sandbox
from tests.pages import (
    SANDBOX,
    Expected,
    Names,
    Request,
    Step,
    difference,
    read_http_file,
    read_page,
)

ROOT = Path(__file__).parents[2]
PAGES = sorted(page for page in (ROOT / "docs" / "patterns").glob("*.md") if page.stem != "index")
NEEDS_AZURITE = "<!-- needs: azurite -->"
KEY = "a-function-key"


def with_marks(page: Path) -> Any:
    marks = [pytest.mark.azurite] if NEEDS_AZURITE in page.read_text("utf-8") else []
    return pytest.param(page, marks=marks, id=page.stem)


@pytest.fixture
def steps(
    page: Path, request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch
) -> list[Step]:
    """What the page does, in a world that has what it needs."""
    if NEEDS_AZURITE in page.read_text("utf-8"):
        connection = request.getfixturevalue("demo_files")
        monkeypatch.setenv("AzureWebJobsStorage", connection)
    return read_page(page)


@pytest.fixture
def hub(durable_app: FunctionTable, monkeypatch: pytest.MonkeyPatch) -> Iterator[ManualHub]:
    """A hub whose routes ask for a key, as in Azure; the app's own clock is the hub's."""
    manual = ManualHub(durable_app, function_key=KEY)
    monkeypatch.setattr(clock, "now", manual.clock.now)
    yield manual
    manual.shut()


@pytest.mark.parametrize("page", [with_marks(page) for page in PAGES])
async def test_every_request_is_answered_as_the_page_says(
    hub: ManualHub, sandbox: Sandbox, page: Path, steps: list[Step]
) -> None:
    """The requests are those of the .http file, which have the key; the answers are the page's."""
    names, answer = Names({"key": KEY}), None
    requests = iter(read_http_file(page.with_suffix(".http")))
    for step in steps:
        if isinstance(step, timedelta):
            await hub.advance(step)
        elif isinstance(step, Request):
            answer = await send(hub, sandbox, next(requests), names)
        else:
            assert answer is not None, "an answer stands before the first request"
            check(step, answer, names)


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.stem)
def test_the_http_file_has_the_requests_of_the_page(page: Path) -> None:
    shown = [step for step in read_page(page) if isinstance(step, Request)]
    sent = [request if is_to_sandbox(request) else with_key(request) for request in shown]

    assert read_http_file(page.with_suffix(".http")) == sent


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.stem)
def test_the_tests_that_a_page_names_exist(page: Path) -> None:
    named = re.findall(r"^- (test_\w+)$", page.read_text("utf-8"), re.M)
    files = (ROOT / "tests" / "blueprints").glob(f"test_{page.stem}*.py")
    tests = "".join(file.read_text("utf-8") for file in files)

    assert named, "the page names no test"
    assert [name for name in named if f"def {name}(" not in tests] == []


def is_to_sandbox(request: Request) -> bool:
    return request.target.startswith(SANDBOX)


def with_key(request: Request) -> Request:
    return replace(request, headers={**request.headers, "x-functions-key": "<key>"})


Seen = tuple[int, dict[str, str], str]


async def send(hub: ManualHub, sandbox: Sandbox, request: Request, names: Names) -> Seen:
    target, body = names.filled(request.target), names.filled(request.body)
    if is_to_sandbox(request):
        path, sent = target.removeprefix(SANDBOX), json.loads(body) if body else None
        told = await sandbox.send(request.method, path, sent, request.headers)
        return 200, {}, json.dumps(told)
    headers = {name: names.filled(value) for name, value in request.headers.items()}
    answer = await hub.request(request.method, target, data=body.encode(), headers=headers)
    return answer.status, dict(answer.headers), answer.text


def check(expected: Expected, seen: Seen, names: Names) -> None:
    status, headers, text = seen
    assert status == expected.status, text
    for name, pattern in expected.headers.items():
        assert names.matches(pattern, headers[name]), f"{name}: {headers[name]}"
    if expected.body is not None:
        assert difference(expected.body, json.loads(text), names) == ""
