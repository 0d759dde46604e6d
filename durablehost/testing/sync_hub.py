"""The test hub in blocking form, for tests that are not coroutines."""

import asyncio
from collections.abc import Coroutine, Mapping
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any, Self, TypeVar

import azure.durable_functions as df

from durablehost.settings import Settings
from durablehost.store import MEMORY
from durablehost.testing.app_under_test import AppUnderTest, Named, ProblemsNoticed
from durablehost.testing.in_process import Answer
from durablehost.testing.instances import InstanceState
from durablehost.testing.manual_hub import A_YEAR, ManualHub

T = TypeVar("T")


class SyncHub(AppUnderTest):
    """A `ManualHub` with blocking methods."""

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
        """As `ManualHub`."""
        self._hub = ManualHub(
            app,
            start=start,
            settings=settings,
            data=data,
            function_key=function_key,
            seed=seed,
        )
        super().__init__(self._hub._machinery)
        self._runner = asyncio.Runner(loop_factory=asyncio.new_event_loop)

    def __enter__(self) -> Self:
        return self

    def __exit__(self, raised: type[BaseException] | None, *_: object) -> None:
        try:
            if raised is None and (noticed := self.unexpected_problems()):
                raise ProblemsNoticed(noticed)
        finally:
            self.close()

    def close(self) -> None:
        """Close the hub. A hub file keeps its contents."""
        self.run(self._hub.close())
        self._runner.close()

    def run(self, coroutine: Coroutine[Any, Any, T]) -> T:
        """Run a coroutine, such as one that uses a client, on the event loop of this hub."""
        try:
            asyncio.get_running_loop()
        except RuntimeError:
            return self._runner.run(coroutine)
        coroutine.close()
        raise RuntimeError("a SyncHub cannot be used in a coroutine: await the methods of `hub`")

    # What a client does

    def start(
        self,
        orchestrator: Named,
        input: Any = None,
        *,
        instance_id: str | None = None,
        version: str | None = None,
    ) -> str:
        """Start an instance as the SDK's client does, and run until idle. Returns its id."""
        return self.run(
            self._hub.start(orchestrator, input, instance_id=instance_id, version=version)
        )

    def raise_event(
        self,
        instance_id: str,
        name: str,
        data: Any = None,
        *,
        after: timedelta | None = None,
        as_http: bool = False,
    ) -> None:
        """Send an event as the SDK's client does, or as plain HTTP does; now, or after a time."""
        self.run(self._hub.raise_event(instance_id, name, data, after=after, as_http=as_http))

    def request(
        self,
        method: str,
        path: str,
        *,
        json: Any = None,
        data: bytes | str | None = None,
        headers: Mapping[str, str] | None = None,
    ) -> Answer:
        """Send a request to a route such as '/api/approvals', and run until idle."""
        return self.run(self._hub.request(method, path, json=json, data=data, headers=headers))

    def fire(self, function: str, value: object = None, *, name: str | None = None) -> None:
        """Run a function as its trigger does. Raises FunctionFailed where it raised."""
        self.run(self._hub.fire(function, value, name=name))

    def client(self) -> df.DurableOrchestrationClient:
        """A durable client of this hub; await its methods in a coroutine given to `run`."""
        client: df.DurableOrchestrationClient = self.run(self._hub.client())
        return client

    def terminate(self, instance_id: str, reason: str = "") -> None:
        """Terminate an instance. Raises InstanceNotFound or InstanceEnded."""
        self.run(self._hub.terminate(instance_id, reason))

    def suspend(self, instance_id: str, reason: str = "") -> None:
        """Suspend an instance. Raises InstanceNotFound, InstanceEnded or WrongState."""
        self.run(self._hub.suspend(instance_id, reason))

    def resume(self, instance_id: str, reason: str = "") -> None:
        """Resume a suspended instance. Raises InstanceNotFound, InstanceEnded or WrongState."""
        self.run(self._hub.resume(instance_id, reason))

    def purge(self, instance_id: str) -> None:
        """Delete an ended instance. Raises InstanceNotFound, or WrongState while it runs."""
        self.run(self._hub.purge(instance_id))

    def rewind(self, instance_id: str, reason: str = "") -> None:
        """Rewind a failed instance: repeat what failed. Raises InstanceNotFound or WrongState."""
        self.run(self._hub.rewind(instance_id, reason))

    def restart(self, instance_id: str, *, new_id: bool = True) -> str:
        """Start an instance again with the same input. Returns its id. Raises as the client."""
        return self.run(self._hub.restart(instance_id, new_id=new_id))

    # Entities

    def signal(self, entity: Named, key: str, operation: str, input: Any = None) -> None:
        """Signal an entity as the SDK's client does."""
        self.run(self._hub.signal(entity, key, operation, input))

    def call_entity(self, entity: Named, key: str, operation: str, input: Any = None) -> Any:
        """Have an entity run an operation; its result. Raises FunctionFailed."""
        return self.run(self._hub.call_entity(entity, key, operation, input))

    def set_entity_state(self, entity: Named, key: str, state: Any) -> None:
        """Set the state of an entity, whether or not it exists."""
        self.run(self._hub.set_entity_state(entity, key, state))

    # Time and work

    def run_until_idle(self) -> None:
        """Work until nothing more can be done at this moment."""
        self.run(self._hub.run_until_idle())

    def advance(self, by: timedelta) -> None:
        """Let time pass, with everything that is due meanwhile. Timer functions fire."""
        self.run(self._hub.advance(by))

    def result(self, instance_id: str, within: timedelta = A_YEAR) -> Any:
        """Let time pass until the instance has ended. Its output; raises InstanceFailed, Stuck."""
        return self.run(self._hub.result(instance_id, within))

    def run_until_ended(self, instance_id: str, within: timedelta = A_YEAR) -> InstanceState:
        """Let time pass until the instance has ended, also if it fails. Raises Stuck."""
        return self.run(self._hub.run_until_ended(instance_id, within))

    def run_until_custom_status(
        self, instance_id: str, value: Any, within: timedelta = A_YEAR
    ) -> None:
        """Let time pass until the custom status equals `value`. Raises Stuck."""
        self.run(self._hub.run_until_custom_status(instance_id, value, within))
