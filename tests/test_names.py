"""The names of the app, read as one list: whoever knows some of them can guess the others."""

import re
from typing import Final

from activities import ids
from blueprints.operations import OPEN_EVENTS
from durablehost.app.functions import FunctionTable
from tests.source import ROOT, modules_below

READING: Final = ("show_", "list_", "download_")
SOURCES: Final = [
    path.read_text("utf-8")
    for folder in ("activities", "blueprints", "http_api", "orchestration")
    for path in modules_below(ROOT / folder).values()
]


def routes(app: FunctionTable) -> list[tuple[str, str, str]]:
    """The name, the method and the path of every HTTP function."""
    return [
        (each.name, str(method).upper(), each.trigger["route"])
        for each in app.functions
        if each.kind == "http"
        for method in each.trigger["methods"]
    ]


def test_a_route_that_only_reads_is_a_get_whose_function_name_says_so(
    durable_app: FunctionTable,
) -> None:
    found = routes(durable_app)

    against = [each for each in found if each[0].startswith(READING) != (each[1] == "GET")]
    assert len(found) > 30
    assert against == []


def test_each_part_of_a_route_is_one_lower_case_word(durable_app: FunctionTable) -> None:
    form = re.compile(r"([a-z]+(-[a-z]+)*|\{[a-z]+\})(/([a-z]+(-[a-z]+)*|\{[a-z]+\}))*")

    files = {"openapi.json"}  # a route that is the name of a file
    paths = {path for _, _, path in routes(durable_app)} - files

    assert [path for path in paths if not form.fullmatch(path)] == []


def test_a_starter_has_the_name_of_what_it_starts(durable_app: FunctionTable) -> None:
    started = {
        each.name.removeprefix("start_").removesuffix("_from_blob")
        for each in durable_app.functions
        if each.name.startswith("start_")
    }

    assert len(started) > 14
    assert started <= set(durable_app.durable_names("orchestration"))


def test_an_activity_is_a_verb_and_what_it_acts_on(durable_app: FunctionTable) -> None:
    activities = [each.name for each in durable_app.functions if each.kind == "activity"]

    assert len(activities) > 30
    assert [name for name in activities if "_" not in name] == []


def test_an_id_begins_with_a_word_of_its_own() -> None:
    source = (ROOT / "activities/ids.py").read_text("utf-8")
    prefixes = re.findall(r'return _(?:joined\("|checked\(f")([a-z-]+)', source)
    others = {"child_id", "is_instance_id"}
    makers = {name for name in vars(ids) if name.endswith("_id")} - others

    assert len(set(prefixes)) == len(prefixes) == len(makers)
    assert [each for each in prefixes if not re.fullmatch("[a-z]+(-[a-z]+)?", each)] == []


def test_an_event_is_what_has_happened() -> None:
    named = [name for source in SOURCES for name in re.findall(r'_EVENT: Final = "(\w+)"', source)]

    assert set(named) > set(OPEN_EVENTS)
    assert [name for name in named if not re.fullmatch("([A-Z][a-z]+)+ed", name)] == []


def test_what_is_unknown_has_a_code_that_says_what_it_is() -> None:
    codes = {code for source in SOURCES for code in re.findall(r'404, "(\w+)"', source)}

    no_result = {"no_result"}  # of a report that is known
    assert {code for code in codes if not code.startswith("unknown_")} == no_result
