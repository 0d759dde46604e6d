"""`@app.retry`: a function that fails is called again, whatever its trigger is."""

from collections.abc import AsyncIterator
from datetime import timedelta
from typing import Any

import azure.durable_functions as df
import azure.functions as func
import pytest

from durablehost.app.functions import RetryPolicy
from durablehost.app.loading import index_app
from durablehost.calling.invoker import Invoker
from durablehost.errors import AppDoesNotLoad, FunctionFailed
from tests.durablehost.calling.declared import only

FIXED: dict[str, Any] = {
    "strategy": "fixed_delay",
    "max_retry_count": "2",
    "delay_interval": "00:00:05",
}


@pytest.fixture
def pauses() -> list[float]:
    return []


@pytest.fixture
async def invoker(pauses: list[float]) -> AsyncIterator[Invoker]:
    async def pause(seconds: float) -> None:
        pauses.append(seconds)

    invoker = Invoker(threads=1, own_loop=False, pause=pause)
    yield invoker
    await invoker.close()


def failing(seen: list[Any], times: int, **policy: Any) -> df.DFApp:
    """An app with an activity that notes its retry context, and fails so many times."""
    app = df.DFApp()

    def act(x: str, context: func.Context) -> str:
        retry = context.retry_context
        words = retry.exception and retry.exception.message
        seen.append((retry.retry_count, retry.max_retry_count, words))
        if len(seen) <= times:
            raise ValueError(f"failure {len(seen)}")
        return "done"

    app.activity_trigger(input_name="x")(app.retry(**policy)(act))
    return app


async def test_a_function_is_called_again_until_it_succeeds(
    invoker: Invoker, pauses: list[float]
) -> None:
    seen: list[Any] = []

    result = await invoker.activity(only(failing(seen, 2, **FIXED)), '"x"', "i")

    assert result == '"done"'
    assert seen == [(0, 2, None), (1, 2, "failure 1"), (2, 2, "failure 2")]
    assert pauses == [5, 5]


async def test_the_last_failure_is_that_of_the_call(invoker: Invoker) -> None:
    seen: list[Any] = []

    with pytest.raises(FunctionFailed, match="failure 3"):
        await invoker.activity(only(failing(seen, 99, **FIXED)), '"x"', "i")

    assert len(seen) == 3


async def test_a_negative_retry_count_retries_without_end(invoker: Invoker) -> None:
    seen: list[Any] = []
    policy = FIXED | {"max_retry_count": "-1"}

    assert await invoker.activity(only(failing(seen, 50, **policy)), '"x"', "i") == '"done"'
    assert len(seen) == 51


async def test_an_exponential_backoff_doubles_up_to_its_maximum(
    invoker: Invoker, pauses: list[float]
) -> None:
    policy = {
        "strategy": "exponential_backoff",
        "max_retry_count": "5",
        "minimum_interval": "00:00:04",
        "maximum_interval": "00:00:30",
    }

    await invoker.activity(only(failing([], 5, **policy)), '"x"', "i")

    assert pauses == [4, 8, 16, 30, 30]


async def test_a_function_of_any_trigger_is_retried(invoker: Invoker) -> None:
    app, seen = df.DFApp(), []

    def answer(req: func.HttpRequest) -> str:
        seen.append("http")
        raise ValueError("again")

    app.route(route="r")(app.retry(**FIXED)(answer))

    with pytest.raises(FunctionFailed):
        await invoker.http(only(app), func.HttpRequest("GET", "/", body=b""), "")

    assert seen == ["http"] * 3


def test_the_policy_is_that_of_the_decorator() -> None:
    five = timedelta(seconds=5)

    assert only(failing([], 0, **FIXED)).retry == RetryPolicy(2, five, five)


@pytest.mark.parametrize(
    "wrong", [{"max_retry_count": "many"}, {"delay_interval": "5"}, {"delay_interval": None}]
)
def test_with_a_policy_that_the_worker_does_not_read_no_function_loads(wrong: Any) -> None:
    with pytest.raises(AppDoesNotLoad, match=r"ValueError|TypeError") as refused:
        index_app(failing([], 0, **FIXED | wrong))

    assert 'Write `@app.retry(strategy="fixed_delay"' in str(refused.value)
