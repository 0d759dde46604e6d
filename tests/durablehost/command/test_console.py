"""What durablehost says in the log and at start, piece by piece."""

import io
import logging
import os
from dataclasses import replace
from pathlib import Path

import pytest

from durablehost.app.functions import Function, FunctionTable, LeftOut, Place
from durablehost.command import console
from durablehost.hub.problems import Problem, unknown_function
from durablehost.settings import Settings

PLACE = Place("function_app.py", 7)
MANY = [f"activity_{number:03}" for number in range(200)]


def function(name: str, kind: str, **trigger: str) -> Function:
    return Function(
        name=name,
        kind=kind,  # type: ignore[arg-type]  # tests know the kinds
        trigger={"type": f"{kind}Trigger", **trigger},
        bindings=(),
        handler=print,
        is_async=False,
        place=PLACE,
        durable_name=name if kind in ("orchestration", "activity", "entity") else "",
    )


def shown(capsys: pytest.CaptureFixture[str], table: FunctionTable, **settings: object) -> str:
    console.show_app(table, "http://localhost:1", Settings(**settings))  # type: ignore[arg-type]
    return capsys.readouterr().out


def test_many_names_stand_on_lines_that_fit_the_console(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("COLUMNS", "60")

    said = shown(capsys, FunctionTable(tuple(function(name, "activity") for name in MANY)))

    assert said.startswith("Activities (200):\n  activity_000, activity_001, ")
    assert max(map(len, said.splitlines())) <= 60
    assert all(name in said for name in MANY)


def test_names_are_sorted_without_regard_to_case(capsys: pytest.CaptureFixture[str]) -> None:
    table = FunctionTable(tuple(function(name, "entity") for name in ("b", "A", "C")))

    assert shown(capsys, table) == "Entities (3):\n  A, b, C\n\n"


def test_methods_and_urls_stand_below_one_another(capsys: pytest.CaptureFixture[str]) -> None:
    routes = (
        function("long_name", "http", route="a/{id}", methods=["GET", "POST"]),  # type: ignore[arg-type]
        function("any", "http"),
    )

    assert shown(capsys, FunctionTable(routes), route_prefix="v1") == (
        "Functions:\n"
        "  any:       [any]      http://localhost:1/v1/any\n"
        "  long_name: [GET,POST] http://localhost:1/v1/a/{id}\n\n"
    )


def test_disabled_functions_are_marked(capsys: pytest.CaptureFixture[str]) -> None:
    table = FunctionTable((function("off", "http"), function("work", "activity")))

    assert shown(capsys, table.with_disabled({"off", "work"})) == (
        "Functions:\n  off: [any] http://localhost:1/api/off [disabled]\n\n"
        "Activities (1):\n  work [disabled]\n\n"
    )


def test_a_client_of_another_hub_is_named(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("OTHER_HUB", "Other")
    client = {"name": "client", "type": "durableClient", "direction": "IN"}
    ours = replace(function("ours", "timer"), bindings=({**client, "taskHub": "testhubname"},))
    theirs = replace(function("theirs", "timer"), bindings=({**client, "taskHub": "%OTHER_HUB%"},))

    said = shown(capsys, FunctionTable((ours, theirs)))

    assert said.endswith(
        "Warnings:\n  theirs (function_app.py:7) has a client for the task hub Other. durablehost "
        "has only the hub TestHubName, and the client uses it.\n\n"
    )


def test_a_durable_app_without_extensions_is_told_what_azure_needs(
    capsys: pytest.CaptureFixture[str],
) -> None:
    durable = FunctionTable((function("flow", "orchestration"),))
    plain = FunctionTable((function("page", "http"),))

    assert "Warnings" not in shown(capsys, durable)
    assert "Warnings" not in shown(capsys, plain, has_extensions=False)
    said = shown(capsys, durable, has_extensions=False)
    assert "Warnings:\n  host.json has no extensionBundle, and the app has no bin/ext" in said


def test_what_was_left_out_is_shown_with_the_hosts_words_and_what_to_write(
    capsys: pytest.CaptureFixture[str],
) -> None:
    left_out = LeftOut("act", "It is in error.", "Write `x`.", PLACE)

    said = shown(capsys, FunctionTable((), (left_out,), ("function_app.py:9: it fails.",)))

    assert said == (
        "Left out, as on Azure:\n"
        "  act (function_app.py:7)\n"
        "    It is in error.\n"
        "    Write `x`.\n\n"
        "Warnings:\n"
        "  function_app.py:9: it fails.\n\n"
        "The app has no functions.\n\n"
    )


def test_no_name_of_a_caller_moves_the_cursor_or_forges_a_line(
    caplog: pytest.LogCaptureFixture,
) -> None:
    console.tell("@counter@a\n12:00:00 error: forged\x1b[2J", "counter", Problem("k", "s", "é ✓."))

    assert [record.getMessage() for record in caplog.records] == [
        "@counter@a\\n12:00:00 error: forged\\x1b[2J (counter) é ✓."
    ]


def test_a_line_of_the_log_has_the_time_and_a_mark_where_it_matters(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    written = io.StringIO()
    monkeypatch.setattr("sys.stderr", written)
    root = logging.getLogger()
    handlers, level = root.handlers[:], root.level
    try:
        console.set_up_logging()
        for level_of_line in (logging.INFO, logging.WARNING, logging.ERROR):
            logging.getLogger("some.app").log(level_of_line, "words")
    finally:
        root.handlers[:] = handlers
        root.setLevel(level)

    said = [line.partition(" ")[2] for line in written.getvalue().splitlines()]
    assert said == ["words", "warning: words", "error: words"]


def test_few_known_names_are_all_listed_and_the_nearest_is_asked_for() -> None:
    text = unknown_function("activity", "chargecard", ["refund", "charge_card"]).text

    assert "calls the activity 'chargecard', which the app does not have" in text
    assert "Did you mean 'charge_card'?" in text
    assert text.endswith("Known activities: 'refund', 'charge_card'.")


def test_of_many_known_names_the_most_similar_are_listed() -> None:
    text = unknown_function("activity", "charge_crad", [*MANY, "Charge_Card"]).text

    assert "Did you mean 'Charge_Card'? Known activities: 'Charge_Card', '" in text
    assert text.count("'activity_") == 5
    assert text.endswith(" and 195 more (GET /admin/functions lists them).")
    assert len(text) < 400


def test_a_very_long_name_is_shortened() -> None:
    problem = unknown_function("activity", "x" * 3_000_000, MANY)

    assert len(problem.subject) < 200
    assert len(problem.text) < 1000


def test_a_problem_says_if_no_function_is_known() -> None:
    text = unknown_function("entity", "Counter", []).text

    assert text.endswith("for ever. Known entities: none.")


def test_a_function_that_was_not_loaded_is_named_with_its_reason_alone() -> None:
    text = unknown_function(
        "activity", "act", ["other"], left_out="It is in error. (app.py:3)"
    ).text

    assert text == (
        "calls the activity 'act', which the app does not have. As on Azure, the instance waits"
        " for ever. It was left out: It is in error. (app.py:3)"
    )


def test_a_text_the_console_cannot_encode_is_escaped(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    with (tmp_path / "out").open("w", encoding="ascii") as stream:
        monkeypatch.setattr("sys.stdout", stream)
        console.write_any_text()
        console.say("✓ \udcff")

    assert (tmp_path / "out").read_text() == "\\u2713 \\udcff\n"


def test_a_reader_that_has_gone_does_not_end_the_command(monkeypatch: pytest.MonkeyPatch) -> None:
    reads, writes = os.pipe()
    os.close(reads)
    with open(writes, "w") as stream:
        monkeypatch.setattr("sys.stdout", stream)

        console.say("a rule")
        console.say("another rule")
