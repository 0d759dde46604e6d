"""Calls the app's functions. No other module of durablehost runs code of the app."""

import asyncio
import contextvars
import logging
import os
import threading
import traceback
import uuid
from collections.abc import Awaitable, Callable, Mapping
from dataclasses import replace
from datetime import timedelta
from functools import partial
from typing import Any, cast

import azure.functions as func

from durablehost import sdk_patches
from durablehost.app.functions import Function
from durablehost.calling.bindings import FunctionBindings, Invocation, Returned
from durablehost.calling.interrupting import Interrupted, place_in
from durablehost.calling.invocation_context import RetryContext, RpcException
from durablehost.calling.invocation_log import are_calls_logged, logged
from durablehost.calling.loop_thread import LoopThread, WasCancelled
from durablehost.calling.running_function import runs
from durablehost.calling.storage_bindings import Storage, StorageFailed
from durablehost.calling.storage_on_demand import StorageOnDemand
from durablehost.calling.threads import DaemonPool, RanTooLong
from durablehost.errors import FunctionDisabled, FunctionFailed, FunctionTimedOut

log = logging.getLogger(__name__)

_THREADS_VARIABLE = "PYTHON_THREADPOOL_THREAD_COUNT"
_PACKAGE = os.path.dirname(__file__)


class Invoker:
    """Calls functions and turns their exceptions into FunctionFailed.

    With `own_loop`, async functions run on one event loop in a thread of its own: the SDK's
    clients keep a session bound to the loop of their first call, and a function that blocks
    must not stop the host. Without, they run on the caller's loop.
    """

    def __init__(
        self,
        *,
        threads: int | None = None,
        own_loop: bool,
        storage: Storage | None = None,
        pause: Callable[[float], Awaitable[None]] = asyncio.sleep,
        limit: timedelta | None = None,
    ) -> None:
        """`storage` has the queues and blobs of bindings: without it, those that the app's
        connections name. `pause` waits between the retries of a function. `limit` is how long a
        function may run; it is not for orchestrators and entities."""
        self._storage = storage or StorageOnDemand(os.environ, encode_messages=True)
        self._pause = pause
        self._limit = limit
        self._pool = DaemonPool(threads or _thread_count())
        self._loop_thread = LoopThread() if own_loop else None
        # By the id of the function. The value keeps the function, so that its id is not used again.
        self._bindings: dict[int, FunctionBindings] = {}
        sdk_patches.apply()

    def orchestrate(self, function: Function, body: str) -> str:
        """Run an orchestrator over its history; what the SDK raises is raised unchanged."""
        return _call_through_sdk(function, func.OrchestrationContext(body))

    def operate(self, function: Function, body: str) -> str:
        """Run a batch of operations of an entity; what the SDK raises is raised unchanged."""
        return _call_through_sdk(function, func.EntityContext(body))

    async def activity(
        self, function: Function, input_text: str, instance_id: str, client_payload: str = ""
    ) -> str:
        """Run an activity for an instance: JSON text in, JSON text out.

        Raises FunctionFailed, FunctionDisabled.
        """
        if function.is_disabled:
            raise FunctionDisabled(function.durable_name)
        return cast(
            str, await self._run(function, Invocation(input_text, client_payload, instance_id))
        )

    async def http(
        self, function: Function, request: func.HttpRequest, client_payload: str
    ) -> func.HttpResponse:
        """Call an HTTP function with a request."""
        return cast(
            func.HttpResponse, await self._run(function, Invocation(request, client_payload))
        )

    async def trigger(self, function: Function, value: object, client_payload: str) -> None:
        """Call a function with the value of its timer, queue or blob trigger."""
        await self._run(function, Invocation(value, client_payload))

    async def _run(self, function: Function, invocation: Invocation) -> object:
        """Call a function, with the retries of its `@app.retry`. Raises FunctionFailed."""
        policy, retries = function.retry, 0
        needs_id = function.takes_context or are_calls_logged()
        if policy is not None:
            invocation = replace(invocation, retry=RetryContext(0, policy.most))
        while True:
            if needs_id:
                invocation = replace(invocation, invocation_id=str(uuid.uuid4()))
            try:
                with logged(function, invocation.invocation_id):
                    return await self._run_once(function, invocation)
            except FunctionFailed as failure:
                if policy is None or retries == policy.most:
                    raise
                retries += 1
                pause = policy.pause_before(retries).total_seconds()
                log.warning(
                    "%s failed and is called again in %g s (retry %d of %s): %s",
                    function.name,
                    pause,
                    retries,
                    "any number" if policy.most < 0 else policy.most,
                    failure,
                )
                error = RpcException(failure.message, failure.kind, failure.stack)
                invocation = replace(invocation, retry=RetryContext(retries, policy.most, error))
            await self._pause(pause)

    async def _run_once(self, function: Function, invocation: Invocation) -> object:
        bindings = self._bindings.get(id(function))
        if bindings is None:
            bindings = self._bindings[id(function)] = FunctionBindings.of(function)
        try:
            inputs = await bindings.read(self._storage, invocation)
        except (StorageFailed, ValueError) as error:
            raise _failure_of_binding(function, "read an input", error) from error
        returned = await self._call(bindings, invocation, inputs)
        try:
            await bindings.deliver(self._storage, invocation, returned.deliveries)
        except (StorageFailed, ValueError) as error:
            raise _failure_of_binding(function, "deliver an output", error) from error
        return returned.result

    async def _call(
        self, bindings: FunctionBindings, invocation: Invocation, inputs: Mapping[str, Any]
    ) -> Returned:
        seconds = self._limit.total_seconds() if self._limit else None
        try:
            if not bindings.function.is_async:
                within = contextvars.copy_context()  # with the trace, if there is one
                called = partial(within.run, _call_sync, bindings, invocation, inputs)
                return await self._pool.run(called, seconds)
            coroutine = _call_async(bindings, invocation, inputs)
            if self._loop_thread is None:
                return await coroutine
            return await self._loop_thread.run(coroutine, seconds)
        except WasCancelled:
            raise FunctionFailed(
                "CancelledError", "The app has cancelled the task of this function.", ""
            ) from None
        except RanTooLong as ran:
            assert self._limit is not None
            if held := self._pool.lost:
                log.warning("Threads held by functions that ignored their time-out: %d", held)
            raise FunctionTimedOut(bindings.function.name, self._limit, str(ran)) from None

    async def disconnect(self) -> None:
        """Close the session of the SDK's clients on this event loop; their next call opens one."""
        await sdk_patches.close_client_session()

    def end_threads(self) -> None:
        """Start no more functions, and wait a moment for sync ones; for use without a loop."""
        self._pool.close()
        self._pool.join(0.4)

    async def close(self) -> None:
        """Cancel async functions, start no more, and wait a moment for functions that still run.

        The caller of a function that is cancelled here gets a CancelledError. A sync
        function cannot be cancelled; it ends with the process.
        """
        self._pool.close()
        if self._loop_thread is None:
            await sdk_patches.close_client_session()
        else:
            self._loop_thread.close(sdk_patches.close_client_session)
        joiner = DaemonPool(1)
        await joiner.run(self._join)
        joiner.close()
        joiner.join(0.1)

    def _join(self) -> None:
        if self._loop_thread is not None:
            self._loop_thread.join(0.4)
        self._pool.join(0.4)


def _call_through_sdk(function: Function, context: object) -> str:
    try:
        with logged(function), runs(function.name):
            return cast(str, function.handler(context))
    except (Exception, Interrupted):
        raise
    except BaseException as error:  # would end the thread it runs on
        if isinstance(error, KeyboardInterrupt) and _is_main_thread():
            raise  # Ctrl-C in a test
        raise _failure_of(error) from error


def _is_main_thread() -> bool:
    return threading.current_thread() is threading.main_thread()


def _call_sync(
    bindings: FunctionBindings, invocation: Invocation, inputs: Mapping[str, Any]
) -> Returned:
    try:
        with runs(bindings.function.name):
            arguments = bindings.arguments(invocation, inputs)
            return bindings.result(bindings.function.handler(**arguments), arguments, invocation)
    except BaseException as error:  # sys.exit() in a function must not end the host
        raise _failure_of(error) from error


async def _call_async(
    bindings: FunctionBindings, invocation: Invocation, inputs: Mapping[str, Any]
) -> Returned:
    task = asyncio.current_task()
    assert task is not None
    try:
        with runs(bindings.function.name):
            arguments = bindings.arguments(invocation, inputs)
            returned = await bindings.function.handler(**arguments)
            return bindings.result(returned, arguments, invocation)
    except GeneratorExit as error:
        if asyncio.current_task(task.get_loop()) is not task:
            raise  # this coroutine is being closed
        raise _failure_of(error) from error
    except asyncio.CancelledError as error:
        if task.cancelling():
            raise
        raise _failure_of(
            error
        ) from error  # raised by the function itself: durablehost is not stopping
    except BaseException as error:  # sys.exit() in a function must not end the host
        raise _failure_of(error) from error


def _failure_of_binding(function: Function, what: str, error: Exception) -> FunctionFailed:
    """The failure of a call whose binding failed; the function itself did not fail."""
    kind = "StorageFailed" if isinstance(error, StorageFailed) else "InvalidOperationException"
    return FunctionFailed(kind, f"durablehost cannot {what} of {function.name}: {error}", "")


def _failure_of(error: BaseException) -> FunctionFailed:
    try:
        message = str(error)
    except BaseException:  # the exception's class is code of the app, too; the worker's message
        message = "Unhandled exception in function. Could not serialize original exception message."
    frames = traceback.extract_tb(error.__traceback__)
    while frames and os.path.dirname(frames[0].filename) == _PACKAGE:
        frames.pop(0)
    stack = "".join(frames.format())
    return FunctionFailed(type(error).__name__, message, stack, place_in(error))


def _thread_count() -> int:
    default = min(32, (os.cpu_count() or 1) + 4)
    text = os.environ.get(_THREADS_VARIABLE, "")
    if not text:
        return default
    if text.isascii() and text.isdigit() and int(text) > 0:
        return int(text)
    log.warning("%s=%r: write a number above 0; %d is used", _THREADS_VARIABLE, text, default)
    return default
