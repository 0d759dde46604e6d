"""A task hub whose time and work are in the hands of a test.

There is no fixed port, no sleep, and no thread left behind. Time stands still unless a test moves
it (`advance`), or asks for something that takes time (`run_until_ended`,
`run_until_custom_status`): then it jumps to the next timer whenever nothing else is to do.
"""

import json
import os
import warnings
from collections.abc import Callable, Mapping
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any, Self

from durablehost import sdk_patches
from durablehost.app.loading import table_of
from durablehost.app.ncrontab import parse
from durablehost.calling.http_activity import HttpCaller
from durablehost.calling.invoker import Invoker
from durablehost.episodes.scheduled import HTTP_ACTIVITY
from durablehost.hub.backend import ActivityWork, Instance, Message, Query
from durablehost.hub.client import HubClient
from durablehost.hub.clock import ManualClock
from durablehost.hub.history import Event, compact, event_raised
from durablehost.hub.problems import StoredProblem
from durablehost.settings import Settings, settings_for_tests
from durablehost.settings.percent_names import resolve
from durablehost.store import MEMORY, SqliteBackend
from durablehost.testing.in_process import Answer, Front
from durablehost.testing.manual_work import ManualWork
from durablehost.testing.stand_in import Call, StandIns
from durablehost.triggers.values import timer_request
from durablehost.web.auth import Keys


class ManualHub:
    """A task hub whose time and work are in the hands of a test."""

    def __init__(
        self,
        app: object,
        *,
        start: datetime | None = None,
        settings: Settings | None = None,
        data: Path | str = MEMORY,
        function_key: str | None = None,
    ) -> None:
        """`app` is its folder, what `load_app` made of it, or the app object.

        Without `settings` the folder's host.json counts, and where there is none its defaults.
        With a `function_key`, a request without that key gets 401, as in Azure.
        """
        if misfits := sdk_patches.misfits():
            warnings.warn(misfits, stacklevel=2)
        self._table = table_of(app)
        self._settings = settings or settings_for_tests(self._table.folder)
        self.clock = ManualClock(start)
        self._stand_ins = StandIns(self.clock, self._run)
        self._invoker = Invoker(own_loop=False)
        self._http = HttpCaller()
        self._backend = SqliteBackend(data)
        self._hub = self._new_hub()
        self._front = Front(
            self._table,
            self._settings,
            self._hub,
            self._saved,
            self._invoker,
            Keys(function=function_key, enforced=True) if function_key else Keys(),
        )
        self._work = ManualWork(
            self._backend,
            self._hub,
            self._table,
            self._invoker,
            self.clock,
            self._settings,
            self._stand_ins.run,
        )

    def _new_hub(self) -> HubClient:
        return HubClient(
            self._backend,
            self.clock,
            self._table,
            lambda _: None,
            default_version=self._settings.default_version,
            may_replace_running=self._settings.may_replace_running,
        )

    async def _saved(self) -> None:
        self._backend.flush()

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(self, *raised: object) -> None:
        await self.close()

    async def close(self) -> None:
        """End everything; what a hub file has is kept."""
        await self.disconnect()
        self.shut()

    async def disconnect(self) -> None:
        """Close what is open on the running event loop; the next call opens it on its own loop."""
        await self._front.close()
        await self._http.close()
        await self._invoker.disconnect()

    def shut(self) -> None:
        """Close the store and end the threads of functions, once `disconnect` has been awaited."""
        self._backend.close()
        self._invoker.end_threads()

    # Activities

    def replace_activity(self, name: str, replacement: Callable[[Any], Any]) -> None:
        """Run `replacement` wherever the activity `name` is called; it may be async."""
        self._stand_ins.replace(self._activity_name(name), replacement)

    def fail_activity(self, name: str, error: Exception, *, on_call: int = 1) -> None:
        """Make the nth call of an activity fail instead of running it."""
        self._stand_ins.fail(self._activity_name(name), error, on_call)

    def slow_activity(self, name: str, takes: timedelta) -> None:
        """Let each call of an activity take so long; what it does, it does at the end."""
        self._work.slow_down(self._activity_name(name), takes)

    def calls(self, name: str | None = None) -> list[Call]:
        """The runs of an activity (of all), in order."""
        wanted = None if name is None else self._activity_name(name)
        return [call for call in self._stand_ins.calls if wanted in (None, call.name)]

    def _activity_name(self, name: str) -> str:
        function = self._table.activity(name)
        if function is None:
            known = ", ".join(self._table.durable_names("activity"))
            raise LookupError(f"the app has no activity '{name}'; it has: {known}")
        return function.durable_name

    # What a client does

    async def start(
        self,
        orchestrator: str | Callable[..., Any],
        input: Any = None,
        *,
        instance_id: str | None = None,
        version: str | None = None,
    ) -> str:
        """Start an instance as the SDK's client does, and run until nothing is to do now."""
        text = None if input is None else compact(json.dumps(input))
        name = orchestrator if isinstance(orchestrator, str) else _name_of(orchestrator)
        if self._table.orchestrator(name) is None:
            known = ", ".join(self._table.durable_names("orchestration"))
            raise LookupError(f"the app has no orchestrator '{name}'; it has: {known}")
        started = self._hub.start(name, instance_id, text, version)
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
        """Send an event as the SDK's client does, or as plain HTTP does; now, or in a while.

        The client sends JSON text and plain HTTP sends the value: orchestrators get both forms.
        """
        value = data if as_http else json.dumps(data)
        if after is not None:
            when = self.clock.now() + after
            event = event_raised(when, name, compact(value))
            self._backend.send(Message(instance_id, event, due=when))
            self._backend.flush()
            return
        self._hub.raise_event(instance_id, name, value)
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
        """Send a request to the app's routes, such as '/api/approvals', and run until idle."""
        answer = await self._front.request(method, path, json=json, data=data, headers=headers)
        await self.run_until_idle()
        return answer

    async def fire(self, function: str, value: object = None) -> None:
        """Run a timer, queue or blob function on a value of its kind; a timer needs none.

        Raises FunctionFailed where it raised.
        """
        found = next((one for one in self._table.functions if one.name == function), None)
        left_out = next((one for one in self._table.left_out if one.name == function), None)
        if left_out is not None:
            raise LookupError(f"{left_out.says} {left_out.advice} ({left_out.place})")
        if found is None or found.kind not in ("timer", "queue", "blob"):
            raise LookupError(f"the app has no timer, queue or blob function '{function}'")
        if value is None and found.kind == "timer":
            schedule = parse(resolve(str(found.trigger["schedule"]), os.environ))
            value = timer_request(schedule, None, past_due=False)
        await self._invoker.trigger(found, value, await self._front.lend_client())
        await self.run_until_idle()

    async def signal(self, entity: str, key: str, operation: str, input: Any = None) -> None:
        """Signal an entity as the SDK's client does."""
        text = None if input is None else compact(json.dumps(input))
        self._hub.signal(entity, key, operation, text)
        await self.run_until_idle()

    async def terminate(self, instance_id: str, reason: str = "") -> None:
        self._hub.terminate(instance_id, reason)
        await self.run_until_idle()

    async def suspend(self, instance_id: str, reason: str = "") -> None:
        self._hub.suspend(instance_id, reason)
        await self.run_until_idle()

    async def resume(self, instance_id: str, reason: str = "") -> None:
        self._hub.resume(instance_id, reason)
        await self.run_until_idle()

    # What there is to see

    def instance(self, instance_id: str) -> Instance:
        """What is known of an instance. Raises InstanceNotFound."""
        return self._hub.status(instance_id)

    def instances(self, prefix: str = "") -> list[Instance]:
        """All instances whose id begins so, in order of their ids."""
        return self._backend.list_instances(Query(prefix=prefix, top=None))

    def status(self, instance_id: str) -> str:
        """Its runtime status, such as 'Running'."""
        return self.instance(instance_id).status

    def output(self, instance_id: str) -> Any:
        """What it returned, or the words of its failure."""
        return json.loads(self.instance(instance_id).output or "null")

    def custom_status(self, instance_id: str) -> Any:
        return json.loads(self.instance(instance_id).custom_status or "null")

    def history(self, instance_id: str) -> list[Event]:
        """The events of its current execution, oldest first."""
        return self._hub.events(instance_id)

    def entity_state(self, entity: str, key: str) -> Any:
        """The state of an entity, None where it has none. Raises InstanceNotFound."""
        return json.loads(self._hub.entity_state(entity, key))

    def problems(self, instance_id: str | None = None) -> list[StoredProblem]:
        """The problems of an instance, or of all, which the real host would not report."""
        return self._backend.problems(instance_id)

    # Time and work

    async def run_until_idle(self) -> None:
        """Work until nothing is to do at this moment."""
        await self._work.until_idle()

    async def advance(self, by: timedelta) -> None:
        """Let time pass, and everything happen that comes due meanwhile."""
        await self._work.advance(by)

    async def run_until_ended(
        self, instance_id: str, within: timedelta = timedelta(days=365)
    ) -> Instance:
        """Work, and let time pass, until the instance has ended."""
        return await self._work.until(lambda instance: instance.ended, instance_id, within)

    async def run_until_custom_status(
        self, instance_id: str, value: Any, within: timedelta = timedelta(days=365)
    ) -> None:
        """Work, and let time pass, until the custom status equals `value`."""
        await self._work.until(
            lambda instance: bool(json.loads(instance.custom_status or "null") == value),
            instance_id,
            within,
        )

    # Crashes

    def crash_after(self, commits: int) -> None:
        """Stop dead at the nth commit from now: it is lost, and `Crashed` is raised."""
        self._work.crash_after(commits)

    def crash(self) -> None:
        """Lose all that was not saved, and go on from the store, replaying from history."""
        self._work.forget_running()
        self._backend.lose_unsaved()

    async def _run(self, activity: ActivityWork) -> str:
        if activity.name == HTTP_ACTIVITY:
            return await self._http(activity.input)
        function = self._table.activity(activity.name)
        assert function is not None, f"no episode schedules the unknown activity {activity.name}"
        payload = ""
        if function.client_bindings:
            payload = await self._front.lend_client()
        return await self._invoker.activity(function, activity.input, activity.instance_id, payload)


def _name_of(orchestrator: Callable[..., Any]) -> str:
    """The name of a decorated function, which is a builder of the SDK's and no function."""
    function = sdk_patches.function_of(orchestrator)
    trigger = function.get_trigger() if function else None
    name = getattr(trigger, "orchestration", None) or (
        function.get_function_name() if function else orchestrator.__name__
    )
    return str(name)
