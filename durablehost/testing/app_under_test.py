"""An app on a hub in memory: what a test puts in place of its parts, and what there is to see."""

import inspect
import json
from collections.abc import Callable, Mapping
from datetime import timedelta
from pathlib import Path
from typing import Any, Final

from durablehost import sdk_patches
from durablehost.app.functions import Kind as FunctionKind
from durablehost.episodes.waited_for import Waits
from durablehost.hub.backend import Instance, Query
from durablehost.hub.clock import ManualClock
from durablehost.hub.history import Event
from durablehost.hub.problems import StoredProblem
from durablehost.replaying.recording import SUFFIX, write
from durablehost.replaying.taking import take
from durablehost.testing.calls import Call, Kind
from durablehost.testing.http_stubs import HttpAnswer, Respond
from durablehost.testing.instances import InstanceState, RuntimeStatus
from durablehost.testing.machinery import Machinery
from durablehost.testing.stubs import EntityReplacement
from durablehost.testing.values import input_value, value_of

Named = str | Callable[..., Any]  # the name of a durable function, or the decorated function

_SHOWN: Final = 10  # problems in one text


class ProblemsNoticed(AssertionError):
    """durablehost noticed problems that the test does not allow."""


class AppUnderTest:
    """The methods of `ManualHub` and `SyncHub` that let no time pass and run no code of the app."""

    def __init__(self, machinery: Machinery) -> None:
        self._machinery = machinery
        self._allowed: set[str] = set()
        self.recordings: Path | None = None  # where `record` writes; pytest's --record names it

    @property
    def clock(self) -> ManualClock:
        """The hub's clock; `clock.now()` is the time that the app's orchestrators see."""
        return self._machinery.clock

    # Activities

    def replace_activity(self, function: Named, replacement: Callable[[Any], Any]) -> None:
        """Run `replacement` instead of the activity, with its input. It may be async."""
        self._machinery.stubs.activity(self._activity(function)).replacement = replacement

    def fail_activity(
        self, function: Named, error: Exception, *, on_call: int = 1, times: int | None = 1
    ) -> None:
        """Make the nth call from now fail with this error; `times` calls fail in all.

        With `times=None` that call and all later ones fail.
        """
        self._machinery.stubs.activity(self._activity(function)).fail(error, on_call, times)

    def repeat_activity(self, function: Named, *, on_call: int = 1) -> None:
        """Make the nth call from now run twice, as on Azure. The second result counts."""
        plan = self._machinery.stubs.activity(self._activity(function))
        plan.repeated.add(plan.made + on_call)

    def slow_activity(self, function: Named, takes: timedelta) -> None:
        """Make each call of an activity take this long. Its effects come at the end."""
        self._machinery.work.slow_down(self._activity(function), takes)

    # Orchestrators and entities

    def replace_orchestrator(self, function: Named, replacement: Callable[..., Any]) -> None:
        """Run `replacement` instead of the orchestrator, wherever it is started.

        A plain function gets the input, and the instance completes with what it returns. A
        generator function runs as an orchestrator and gets the context.
        """
        _refuse_async(replacement, "an orchestrator")
        self._machinery.stubs.orchestrator(self._orchestrator(function)).replacement = replacement

    def fail_orchestrator(
        self, function: Named, error: Exception, *, on_call: int = 1, times: int | None = 1
    ) -> None:
        """Make the nth instance from now fail with this error; `times` instances fail in all."""
        self._machinery.stubs.orchestrator(self._orchestrator(function)).fail(error, on_call, times)

    def replace_entity(self, function: Named, replacement: EntityReplacement) -> None:
        """Answer each operation with `replacement(key, operation, input)`; no state is kept."""
        _refuse_async(replacement, "an entity")
        self._machinery.stubs.replace_entity(self._entity(function), replacement)

    # HTTP

    def answer_http(
        self,
        method: str,
        url: str,
        respond: Respond | None = None,
        *,
        status: int = 200,
        json: Any = None,
        text: str | None = None,
        headers: Mapping[str, str] | None = None,
    ) -> None:
        """Answer `context.call_http` for this method and URL, in which `*` stands for any text.

        Several answers for one URL are given in order; then the last one repeats. `respond` gets
        the request and returns an `HttpAnswer`, or raises OSError: then the call fails as it does
        when no server answers.
        """
        answer = HttpAnswer(status, json, text, headers or {})
        self._machinery.http.answer(method, url, respond or answer)

    def let_http_through(self, url: str) -> None:
        """Send calls to URLs with this beginning to the network, for example to a test server."""
        self._machinery.http.let_through(url)

    # Queues and blobs of bindings

    @property
    def messages(self) -> dict[str, list[str]]:
        """The messages that output bindings sent, by queue. Queue functions do not get them."""
        return self._machinery.storage.messages

    @property
    def blobs(self) -> dict[str, str | bytes]:
        """The blobs that input bindings read and output bindings write, by `container/name`."""
        return self._machinery.storage.blobs

    # Timer functions

    def stop_timers(self, *names: str) -> None:
        """Stop firing these timer functions in `advance`; without names, all of them."""
        self._machinery.timers.stop(*names)

    # What a test can look at

    def calls(self, function: Named | None = None, *, kind: Kind | None = None) -> list[Call]:
        """The calls that orchestrators made, in order: all, or those of a function or a kind.

        What clients and the test itself send to entities is not among them.
        """
        name = None
        if function is not None:
            words = "activity, orchestrator or entity"
            name = self._known(words, function, "activity", "orchestration", "entity")
        return [
            call
            for call in self._machinery.log.calls
            if name in (None, call.name) and kind in (None, call.kind)
        ]

    def instance(self, instance_id: str) -> InstanceState:
        """An instance as it is now. Raises InstanceNotFound."""
        return self._state(self._machinery.client.status(instance_id))

    def instances(self, prefix: str = "") -> list[InstanceState]:
        """All instances whose ids begin with this, in order of their ids."""
        found = self._machinery.backend.list_instances(Query(prefix=prefix, top=None))
        return [self._state(instance) for instance in found]

    def status(self, instance_id: str) -> RuntimeStatus:
        """Its runtime status, such as 'Running'; a failed assertion about it shows the reason."""
        return self.instance(instance_id).status

    def output(self, instance_id: str) -> Any:
        """What it returned, or the text of its failure."""
        return self.instance(instance_id).output

    def custom_status(self, instance_id: str) -> Any:
        return self.instance(instance_id).custom_status

    def history(self, instance_id: str) -> list[Event]:
        """The events of its current execution, oldest first."""
        return self._machinery.client.events(instance_id)

    def record(self, instance_id: str, name: str) -> None:
        """Keep the history of an instance as `<orchestrator>/<name>.json`, for `replay`.

        Writes nothing unless pytest runs with `--record`.
        """
        if self.recordings is None:
            return
        instance = self.instance(instance_id)
        recording = take(
            self._machinery.table,
            instance_id,
            instance.status,
            self.history(instance_id),
            instance.custom_status,
        )
        write(recording, self.recordings / instance.name / f"{name}{SUFFIX}")

    def keep(self, file: Path) -> None:
        """Write the hub to a file, which `durablehost show` opens."""
        file.parent.mkdir(parents=True, exist_ok=True)
        file.unlink(missing_ok=True)
        self._machinery.backend.copy_to(file)

    def waits_for(self, instance_id: str) -> Waits:
        """The events, timers, activities, children and entities that an instance waits for."""
        return self._machinery.explainer.waits(self._machinery.client.status(instance_id))

    def explain(self, instance_id: str) -> str:
        """Why an instance failed or what it waits for, and the problems noticed, as text."""
        return self._machinery.explainer.explain(self._machinery.client.status(instance_id))

    def entity_state(self, entity: Named, key: str) -> Any:
        """The state of an entity; None if it has none. Raises InstanceNotFound."""
        return json.loads(self._machinery.client.entity_state(self._entity(entity), key))

    # Problems

    def problems(self, instance_id: str | None = None) -> list[StoredProblem]:
        """The problems of an instance, or of all, that the real host would not report."""
        return self._machinery.backend.problems(instance_id)

    def allow_problems(self, *kinds: str) -> None:
        """Let the test pass with problems of these kinds; without a kind, with all problems."""
        self._allowed.update(kinds or "*")

    def unexpected_problems(self) -> str:
        """A text about the problems that the test does not allow; empty if there are none.

        Activities and children may keep an instance running for a while, as those do that have
        lost a race. That is not a problem once the instance has ended.
        """
        found = [
            problem
            for problem in self.problems()
            if not {problem.kind, "*"} & self._allowed and not self._is_over(problem)
        ]
        if not found:
            return ""
        lines = [f"- {one.kind}: '{one.instance_id}' {one.text}" for one in found[:_SHOWN]]
        if len(found) > _SHOWN:
            lines.append(f"- and {len(found) - _SHOWN} more")
        kinds = ", ".join(f'"{kind}"' for kind in sorted({one.kind for one in found}))
        return "\n".join(
            [
                "durablehost noticed problems that the real host would not report:",
                *lines,
                f"If the test expects them, write hub.allow_problems({kinds})"
                f" or @pytest.mark.allow_problems({kinds}).",
            ]
        )

    def _is_over(self, problem: StoredProblem) -> bool:
        if problem.kind != "kept-running" or problem.subject == "timer":
            return False
        instance = self._machinery.backend.instance(problem.instance_id)
        return instance is None or instance.ended

    # Order and crashes

    def shuffle(self, seed: int) -> None:
        """From now on, change the order of what happens at the same moment.

        Activities, timers, children and entities that complete at the same moment reach their
        orchestration in another order, together or one by one. The same seed gives the same order.
        """
        self._machinery.shuffle.begin(seed)

    def crash_after(self, commits: int) -> None:
        """Stop at the nth commit from now, which is lost; `Crashed` is raised."""
        self._machinery.work.crash_after(commits)

    def crash(self) -> None:
        """Lose all that was not saved, and go on from the store, replaying from history."""
        self._machinery.work.forget_running()
        self._machinery.backend.lose_unsaved()

    # Names

    def _activity(self, function: Named) -> str:
        return self._known("activity", function, "activity")

    def _orchestrator(self, function: Named) -> str:
        return self._known("orchestrator", function, "orchestration")

    def _entity(self, function: Named) -> str:
        return self._known("entity", function, "entity")

    def _known(self, words: str, function: Named, *kinds: FunctionKind) -> str:
        """The name as the app spells it. Raises LookupError, which lists the known names."""
        name = self._name_of(function)
        names = [one for kind in kinds for one in self._machinery.table.durable_names(kind)]
        for known in names:
            if known.lower() == name.lower():
                return known
        raise LookupError(f"the app has no {words} '{name}'; it has: {', '.join(names)}")

    def _name_of(self, function: Named) -> str:
        """What orchestrators call the function, which a decorator has made a builder."""
        if isinstance(function, str):
            return function
        builder = sdk_patches.function_of(function)
        name: str = builder.get_function_name() if builder else function.__name__
        functions = self._machinery.table.functions
        return next((one.durable_name for one in functions if one.name == name), name)

    def _state(self, instance: Instance) -> InstanceState:
        explainer = self._machinery.explainer
        return InstanceState(
            id=instance.id,
            name=instance.name,
            status=RuntimeStatus(instance.status, lambda: explainer.explain(instance)),
            input=input_value(instance.input),
            output=value_of(instance.output),
            custom_status=value_of(instance.custom_status),
            created=instance.created,
            updated=instance.updated,
            version=instance.version,
            generation=instance.generation,
            parent_id=instance.parent.instance_id if instance.parent else None,
            _described=lambda: explainer.describe(instance),
        )


def _refuse_async(replacement: Callable[..., Any], what: str) -> None:
    if inspect.iscoroutinefunction(replacement):
        raise TypeError(f"{what} cannot be async, and neither can its replacement")
