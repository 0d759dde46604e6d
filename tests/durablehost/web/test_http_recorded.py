"""The recorded calls of HTTP functions, played again: every answer is the recorded one."""

import json
from collections.abc import AsyncIterator
from typing import Any

import pytest
from azure.functions.decorators.function_app import FunctionRegister
from yarl import URL

from tests.durablehost.web.serving import KEYS, RECORDED_APP, Answer, Caller, load_module, serving

RECORDED = json.loads((RECORDED_APP / "recorded.json").read_text(encoding="utf-8"))
WEBHOOKS = "/runtime/webhooks/"  # answered elsewhere


@pytest.fixture(scope="module")
def recorded_app() -> FunctionRegister:
    app = load_module(RECORDED_APP / "function_app.py", "recorded_http_app").app
    assert isinstance(app, FunctionRegister)
    return app


@pytest.fixture
async def recorded(recorded_app: FunctionRegister) -> AsyncIterator[Caller]:
    # `binding` was recorded where management URLs begin with https, and written with {base}.
    async with serving(recorded_app, keys=KEYS, management_scheme="https") as call:
        yield call


def filled(value: Any, keys: dict[str, str]) -> Any:
    """A recorded value with the keys put in."""
    text = json.dumps(value)
    for name, key in keys.items():
        text = text.replace(f"{{{name}}}", key)
    return json.loads(text)


async def play(call: Caller, step: dict[str, Any]) -> Answer:
    step = filled(step, {"function_key": KEYS.function, "master_key": KEYS.master})
    method, path, *content = step["http"]
    path = URL(call.origin + path.replace("//", "/", 1)).raw_path_qs
    data = (
        step["raw"].encode() if "raw" in step else b"".join(json.dumps(c).encode() for c in content)
    )
    headers = ({"Content-Type": "application/json"} if content else {}) | step.get("headers", {})
    return await call(method, path, data=data, headers=headers, skip_auto_headers=["Content-Type"])


def noted(answer: Answer, origin: str) -> dict[str, Any]:
    """An answer as the recordings note it."""
    try:
        text = answer.text
    except UnicodeDecodeError:
        text = answer.body.decode("utf-16-be")  # what requests, which recorded, takes it for
    for base in (origin, origin.replace("http:", "https:")):
        text = text.replace(base, "{base}")
    text = text.replace(f"code={KEYS.durable}", "code={key}")
    try:
        body = json.loads(text)
    except ValueError:
        body = text
    kept = {h: answer.headers[h] for h in ("Content-Type", "X-Own") if h in answer.headers}
    return {"status": answer.status, "body": body} | kept


def recorded_steps() -> list[Any]:
    return [
        pytest.param(step, answer, id=f"{scenario}-{n}")
        for scenario, played in RECORDED.items()
        for n, (step, answer) in enumerate(zip(played["steps"], played["answers"], strict=True))
        if answer is not None and not step["http"][1].startswith(WEBHOOKS)
    ]


@pytest.mark.parametrize(("step", "answer"), recorded_steps())
async def test_the_answer_is_the_recorded_one(
    recorded: Caller, step: dict[str, Any], answer: dict[str, Any]
) -> None:
    answered = await play(recorded, step)

    assert noted(answered, recorded.origin) == answer
