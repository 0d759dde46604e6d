"""A task hub whose clock and work a test controls.

There is no fixed port, no sleep, and no thread left behind. Time stands still unless a test moves
it (`advance`), or asks for something that takes time (`result`, `run_until_ended`,
`run_until_custom_status`): then it jumps to the next timer whenever nothing else is to do.
"""

import json
import uuid
from collections.abc import Mapping
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any, Final, Self

import azure.durable_functions as df

from durablehost.app.functions import Function
from durablehost.errors import FunctionFailed
from durablehost.hub.backend import Message
from durablehost.hub.client import entity_id
from durablehost.hub.history import compact, event_raised
from durablehost.settings import Settings
from durablehost.store import MEMORY
from durablehost.testing.app_under_test import AppUnderTest, Named, ProblemsNoticed
from durablehost.testing.calls import Call
from durablehost.testing.in_process import Answer
from durablehost.testing.instances import InstanceState
from durablehost.testing.machinery import build
from durablehost.testing.manual_work import Stuck
from durablehost.testing.stubs import SET_STATE
from durablehost.testing.trigger_values import trigger_value
from durablehost.testing.values import value_of

A_YEAR: Final = timedelta(days=365)


class InstanceFailed(AssertionError):
    """The instance whose result the test asked for has failed or was terminated."""


class ManualHub(AppUnderTest):
    """A task hub whose clock and work a test controls."""

    def __init__(
        self,
        app: object,
        *,
        start: datetime | None = None,
        settings: Settings | None = None,
        data: Path | str = MEMORY,
        function_key: str | None = None,
        seed: int | None = None,
    ) -> None:
        """`app` is its folder, what `load_app` returned, or the app object.

        Without `settings` the folder's host.json applies, and where there is none its defaults.
        With a `function_key`, a request without that key gets 401, as on Azure. With a `seed`,
        what happens at one moment happens in any order, and again in the same order with this seed.
        """
        super().__init__(build(app, start, settings, data, function_key, seed))

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(self, raised: type[BaseException] | None, *_: object) -> None:
        try:
            if raised is None and (noticed := self.unexpected_problems()):
                raise ProblemsNoticed(noticed)
        finally:
            await self.close()

    async def close(self) -> None:
        """Close the hub. A hub file keeps its contents."""
        await self.disconnect()
        self.shut()

    async def disconnect(self) -> None:
        """Close what is open on the running event loop; the next call opens it on its loop."""
        await self._machinery.disconnect()

    def shut(self) -> None:
        """Close the store and end the threads, once `disconnect` has been awaited."""
        self._machinery.shut()

    # What a client does

    async def start(
        self,
        orchestrator: Named,
        input: Any = None,
        *,
        instance_id: str | None = None,
        version: str | None = None,
    ) -> str:
        """Start an instance as the SDK's client does, and run until idle. Returns its id."""
        text = None if input is None else compact(json.dumps(input))
        name = self._orchestrator(orchestrator)
        started = self._machinery.client.start(name, instance_id, text, version)
        await self.run_until_idle()
        return started

    async def raise_event(
        self,
        instance_id: str,
        name: str,
        data: Any = None,
        *,
        after: timedelta | None = None,
        as_http: bool = False,
    ) -> None:
        """Send an event as the SDK's client does, or as plain HTTP does; now, or after a time.

        The client sends JSON text and plain HTTP sends the value: orchestrators get both forms.
        """
        value = data if as_http else json.dumps(data)
        if after is not None:
            when = self.clock.now() + after
            event = event_raised(when, name, compact(value))
            self._machinery.backend.send(Message(instance_id, event, due=when))
            self._machinery.backend.flush()
            return
        self._machinery.client.raise_event(instance_id, name, value)
        await self.run_until_idle()

    async def request(
        self,
        method: str,
        path: str,
        *,
        json: Any = None,
        data: bytes | str | None = None,
        headers: Mapping[str, str] | None = None,
    ) -> Answer:
        """Send a request to a path such as '/api/approvals', and run until idle.

        The path is one of the app's routes or of the host's management API. A URL that the app
        returned, such as `statusQueryGetUri`, can stand for it.
        """
        answer = await self._machinery.front.request(
            method, path, json=json, data=data, headers=headers
        )
        await self.run_until_idle()
        return answer

    async def fire(self, function: str, value: object = None, *, name: str | None = None) -> None:
        """Run a function as its trigger does, and run until idle. A timer function needs no value.

        Text, bytes, dictionaries and lists become the message of a queue function, the contents
        of a blob function, or what another trigger makes of them; `name` is the path of the blob,
        such as 'container/file.txt'. Raises FunctionFailed if the function raised.
        """
        found = self._triggered(function)
        await self._machinery.fire(found, trigger_value(found, value, name, self.clock.now()))
        await self.run_until_idle()

    def _triggered(self, name: str) -> Function:
        table = self._machinery.table
        found = next((one for one in table.functions if one.name == name), None)
        left_out = next((one for one in table.left_out if one.name == name), None)
        if left_out is not None:
            raise LookupError(f"{left_out.says} {left_out.advice} ({left_out.place})")
        if found is None or not _has_own_trigger(found):
            names = [one.name for one in table.functions if _has_own_trigger(one)]
            raise LookupError(
                f"the app has no function '{name}' with a timer, queue, blob or other trigger;"
                f" it has: {', '.join(names) or 'none'}"
            )
        return found

    async def client(self) -> df.DurableOrchestrationClient:
        """A durable client of this hub, for code that expects one."""
        return df.DurableOrchestrationClient(await self._machinery.front.lend_client())

    async def terminate(self, instance_id: str, reason: str = "") -> None:
        """Terminate an instance. Raises InstanceNotFound or InstanceEnded."""
        self._machinery.client.terminate(instance_id, reason)
        await self.run_until_idle()

    async def suspend(self, instance_id: str, reason: str = "") -> None:
        """Suspend an instance. Raises InstanceNotFound, InstanceEnded or WrongState."""
        self._machinery.client.suspend(instance_id, reason)
        await self.run_until_idle()

    async def resume(self, instance_id: str, reason: str = "") -> None:
        """Resume a suspended instance. Raises InstanceNotFound, InstanceEnded or WrongState."""
        self._machinery.client.resume(instance_id, reason)
        await self.run_until_idle()

    async def purge(self, instance_id: str) -> None:
        """Delete an ended instance. Raises InstanceNotFound, or WrongState while it runs."""
        self._machinery.client.status(instance_id)
        self._machinery.client.purge(instance_id)
        await self.run_until_idle()

    async def rewind(self, instance_id: str, reason: str = "") -> None:
        """Rewind a failed instance: repeat what failed. Raises InstanceNotFound or WrongState."""
        self._machinery.client.rewind(instance_id, reason)
        await self.run_until_idle()

    async def restart(self, instance_id: str, *, new_id: bool = True) -> str:
        """Start an instance again with the same input. Returns its id. Raises as the client."""
        restarted = self._machinery.client.restart(instance_id, None if new_id else instance_id)
        await self.run_until_idle()
        return restarted

    # Entities

    async def signal(self, entity: Named, key: str, operation: str, input: Any = None) -> None:
        """Signal an entity as the SDK's client does."""
        text = None if input is None else compact(json.dumps(input))
        self._machinery.client.signal(self._entity(entity), key, operation, text)
        await self.run_until_idle()

    async def call_entity(self, entity: Named, key: str, operation: str, input: Any = None) -> Any:
        """Make an entity run an operation, as an orchestrator does. Returns its result.

        Raises FunctionFailed if the operation raised, and Stuck if it does not run.
        """
        name, request_id = self._entity(entity), str(uuid.uuid4())
        call = Call("entity", name, input, "", self.clock.now(), key=key, operation=operation)
        self._machinery.backend.running[request_id] = call
        request = {
            "op": operation,
            "signal": False,
            "input": None if input is None else compact(json.dumps(input)),
            "id": request_id,
            "parent": "",
            "parentExecution": "",
        }
        self._machinery.backend.send(Message(entity_id(name, key), request))
        await self.run_until_idle()
        if not call.ended:
            raise Stuck(f"the entity '{name}' with the key '{key}' did not run '{operation}'")
        if call.error is not None:
            raise FunctionFailed("EntityOperation", call.error, "")
        return call.result

    async def set_entity_state(self, entity: Named, key: str, state: Any) -> None:
        """Set the state of an entity, whether or not it exists."""
        await self.call_entity(entity, key, SET_STATE, state)

    # Time and work

    async def run_until_idle(self) -> None:
        """Work until nothing more can be done at this moment."""
        await self._machinery.work.until_idle()

    async def advance(self, by: timedelta) -> None:
        """Let time pass, with everything that is due meanwhile. Timer functions fire.

        Raises FunctionFailed if a timer function raises.
        """
        await self._machinery.work.advance(by)

    async def result(self, instance_id: str, within: timedelta = A_YEAR) -> Any:
        """Let time pass until the instance has ended. Returns its output.

        Raises InstanceFailed, with the reason, if it failed or was terminated, and Stuck, with
        what it waits for, if it cannot end.
        """
        __tracebackhide__ = True  # pytest shows the line of the test
        ended = await self.run_until_ended(instance_id, within)
        if ended.status != "Completed":
            raise InstanceFailed(self.explain(instance_id))
        return ended.output

    async def run_until_ended(self, instance_id: str, within: timedelta = A_YEAR) -> InstanceState:
        """Let time pass until the instance has ended, also if it fails. Raises Stuck."""
        __tracebackhide__ = True
        await self._machinery.work.until(lambda instance: instance.ended, instance_id, within)
        return self.instance(instance_id)

    async def run_until_custom_status(
        self, instance_id: str, value: Any, within: timedelta = A_YEAR
    ) -> None:
        """Let time pass until the custom status equals `value`. Raises Stuck."""
        __tracebackhide__ = True
        await self._machinery.work.until(
            lambda instance: bool(value_of(instance.custom_status) == value), instance_id, within
        )


def _has_own_trigger(function: Function) -> bool:
    return not function.durable_name and function.kind != "http"
