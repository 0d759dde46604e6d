"""The patches of the SDK: what they do, and what is said where one does not fit."""

import json
import re
import sys
from collections.abc import Callable
from datetime import UTC, datetime
from importlib import import_module
from pathlib import Path
from typing import Any

import azure.durable_functions as df
import pytest
from azure.durable_functions.models.TaskOrchestrationExecutor import TaskOrchestrationExecutor
from azure.functions._durable_functions import df_loads
from dateutil.parser import parse  # type: ignore[import-untyped]  # ships no types
from hypothesis import given
from hypothesis import strategies as st

from durablehost import sdk_patches
from durablehost.app.functions import FunctionTable
from durablehost.errors import AppDoesNotLoad
from durablehost.hub.history import stamp
from durablehost.testing import ManualHub
from tests.durablehost.apps import SOUND, write_app
from tests.durablehost_process import running

LoadText = Callable[..., FunctionTable]
EVENTS = "azure.durable_functions.models.history.HistoryEvent"
EXECUTOR = "azure.durable_functions.models.TaskOrchestrationExecutor"
ACTION = "azure.durable_functions.models.actions.Action"
CODEC = "azure.functions._durable_functions"
DECORATORS = "azure.functions.decorators.function_app"
HTTP = "azure.durable_functions.models.utils.http_utils"


class Builder:
    """A builder of functions as another release of the SDK could have it."""

    def __init__(self, function: object, script: str) -> None:
        self.function = function


class OtherEvent:
    """An event as another release of the SDK could have it."""

    def __init__(self, **fields: object) -> None:
        self.fields = fields


class OtherExecutor:
    """An executor as another release of the SDK could have it."""

    def execute(self) -> None:
        """Has a part that another patch needs."""

    def resume_user_code(self) -> None:
        """Has another one."""


# What another release of the SDK could have changed, by the patch that then does not fit.
CHANGES: dict[str, tuple[str, str, Any]] = {
    "time stamps": (EVENTS, "dt_parse", datetime.fromisoformat),
    "events": (EVENTS, "HistoryEvent", OtherEvent),
    "named tuple": (EXECUTOR, "namedtuple", tuple),
    "early events": (EXECUTOR, "warnings", sys),
    "codec notices": (CODEC, "_loose_codec_notice_emitted", None),
    "strict typing": (CODEC, "_STRICT_ENV_VAR", None),
    "places of calls": (ACTION, "Action", None),
    "executors": (EXECUTOR, "TaskOrchestrationExecutor", OtherExecutor),
    "client session": (HTTP, "_session_lock", None),
    "declared functions": (DECORATORS, "FunctionBuilder", Builder),
}


def change(patch: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """Change the SDK so that one patch does not fit it."""
    module, name, value = CHANGES[patch]
    if value is None:
        monkeypatch.delattr(import_module(module), name)
    else:
        monkeypatch.setattr(import_module(module), name, value)


def test_every_patch_fits_the_sdk_that_is_installed() -> None:
    assert sdk_patches.misfits() == ""


def test_every_patch_has_a_change_of_the_sdk_that_it_does_not_fit() -> None:
    assert [patch.name for patch in sdk_patches.PATCHES] == list(CHANGES)


@pytest.mark.parametrize("patch", CHANGES)
async def test_the_test_kit_warns_of_a_patch_that_does_not_fit(
    patch: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    change(patch, monkeypatch)

    with pytest.warns(UserWarning, match="These patches of durablehost do not fit") as warned:
        hub = ManualHub(df.DFApp())
    await hub.close()

    [text] = [str(one.message) for one in warned]
    assert re.findall(r"([a-z ]+) \(", text.partition(": ")[2]) == [patch]
    assert "\n" not in text


def test_durablehost_says_at_its_start_which_patches_do_not_fit(tmp_path: Path) -> None:
    changing = "import azure.durable_functions.models.history.HistoryEvent\n"
    changing += "from dateutil.parser import isoparse\n"
    changing += f"sys.modules[{EVENTS!r}].dt_parse = isoparse\n"
    folder = write_app(tmp_path / "app", f"import sys\n{changing}{SOUND}")

    with running(folder) as host:
        output = host.run_to_its_end("chain")

    [said] = [line for line in host.lines if "do not fit" in line]
    assert said.endswith(": time stamps (replays are slow).")
    assert output == 4


def test_an_app_that_the_sdk_does_not_list_is_refused_in_its_words_where_no_more_is_known(
    load: LoadText,
) -> None:
    text = """
class Newer(df.DFApp):
    def get_functions(self):
        raise ValueError("Function hello does not have a unique name.")

app = Newer()
del app._function_builders
"""
    with pytest.raises(AppDoesNotLoad, match=r"^ValueError: Function hello does not have a"):
        load(text)


def test_two_executors_share_the_class_of_their_tables() -> None:
    sdk_patches.apply()

    one, other = (TaskOrchestrationExecutor().event_to_SetTaskValuePayload for _ in "12")

    assert one == other
    assert {type(entry) for entry in one.values()} == {type(entry) for entry in other.values()}


@pytest.mark.parametrize(("value", "is_strict"), [("1", True), ("yes", True), ("", False)])
def test_strict_typing_can_be_set_while_durablehost_runs(
    value: str, is_strict: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    sdk_patches.apply()
    assert df_loads('{"a": 1}') == {"a": 1}

    monkeypatch.setenv("AZURE_FUNCTIONS_DURABLE_STRICT_TYPING", value)

    custom = json.dumps({"__class__": "Decimal", "__module__": "decimal", "__data__": "1"})
    with pytest.raises(TypeError, match="strict mode" if is_strict else "does not expose"):
        df_loads(custom)


@given(st.datetimes(timezones=st.just(UTC), min_value=datetime(1, 1, 1)))
def test_a_stamp_is_read_as_dateutil_reads_it(time: datetime) -> None:
    read, expected = sdk_patches.read_stamp(stamp(time)), parse(stamp(time))

    assert read == expected
    assert type(read.tzinfo) is type(expected.tzinfo)


@pytest.mark.parametrize(
    "text",
    [
        "2026-11-21T02:07:03.2353867Z",  # seven digits, as .NET writes them
        "2026-11-21T02:07:02.301Z",
        "2026-11-21T02:07:03Z",
        "2026-11-21T02:07:03+02:00",
        "2026-11-21T02:07:03.5",
        "21 Nov 2026 02:07 GMT",
    ],
)
def test_other_spellings_are_read_alike(text: str) -> None:
    assert sdk_patches.read_stamp(text) == parse(text)


@pytest.mark.parametrize("text", ["", "nonsense", "2026-13-21T02:07:03.000000Z"])
def test_invalid_times_are_refused_in_the_same_way(text: str) -> None:
    with pytest.raises(ValueError, match=r".*"):
        parse(text)
    with pytest.raises(ValueError, match=r".*"):
        sdk_patches.read_stamp(text)
