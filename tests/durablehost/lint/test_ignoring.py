"""Comments that switch a rule off for a line, and rules that fail."""

from durablehost.lint.linting import lint_source
from durablehost.lint.options import Options
from durablehost.lint.pages import BEFORE
from durablehost.lint.rule import Example, Rule
from durablehost.lint.source import read_texts
from tests.durablehost.lint.examples import lint_text

CODE = """\
from datetime import datetime


@app.orchestration_trigger(context_name="context")
def order(context):
    {above}
    context.set_custom_status(str(datetime.now())){beside}
    yield context.call_activity("ship", None)
"""


def codes(above: str = "pass", beside: str = "") -> list[str]:
    return [each.code for each in lint_text(CODE.format(above=above, beside=beside)).findings]


def test_a_comment_switches_a_rule_off_for_its_line():
    assert codes(beside="  # durable: ignore[DUR101] only people read it") == []


def test_a_comment_on_a_line_of_its_own_is_for_the_next_line():
    assert codes(above="# durable: ignore[DUR101] only people read it") == []


def test_a_comment_without_a_reason_switches_nothing_off():
    assert codes(beside="  # durable: ignore[DUR101]") == ["DUR101", "DUR901"]


def test_a_comment_without_a_code_switches_nothing_off():
    assert codes(beside="  # durable: ignore because people read it") == ["DUR101", "DUR901"]


def test_a_comment_for_another_rule_switches_nothing_off_and_is_reported():
    assert codes(beside="  # durable: ignore[DUR102] a reason") == ["DUR101", "DUR901"]


def test_a_comment_for_a_rule_that_is_off_is_not_reported():
    code = CODE.format(above="pass", beside="  # durable: ignore[DUR101] only people read it")

    assert lint_text(code, Options(ignore=["DUR101"])).findings == []


def test_a_text_that_looks_like_a_comment_is_none():
    assert codes(above='"# durable: ignore[DUR101] a reason"') == ["DUR101"]


def test_a_rule_that_raises_becomes_a_note_and_the_other_rules_run():
    def fail(app):
        raise KeyError("a fault of the linter")

    broken = Rule("DUR999", "broken", "It fails.", "", [Example("")], [Example("")], fail)
    source = read_texts({"function_app": BEFORE})

    linted = lint_source(source, Options(), rules=[broken])

    assert linted.findings == []
    assert "DUR999 failed (KeyError: 'a fault of the linter')" in linted.notes[0].message


def test_a_file_that_is_no_python_is_a_finding():
    linted = lint_text("def order(:\n")

    assert [(each.line, each.code) for each in linted.findings] == [(6, "DUR001")]
