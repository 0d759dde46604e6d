"""Each rule finds what its invalid examples mark, and nothing in the valid ones."""

from pathlib import Path

import pytest

from durablehost.lint.fixing import chosen_edits, fix_text
from durablehost.lint.linting import lint_folder, lint_source
from durablehost.lint.options import Options
from durablehost.lint.pages import BEFORE
from durablehost.lint.rule import Rule
from durablehost.lint.rules import all_rules
from durablehost.lint.source import read_texts
from tests.durablehost.lint.examples import APP, lint_text, marked_lines

RULES = all_rules()
VALID = [(rule, number) for rule in RULES for number in range(len(rule.valid))]
INVALID = [(rule, number) for rule in RULES for number in range(len(rule.invalid))]


def name_of(value: object) -> str:
    return value.name if isinstance(value, Rule) else str(value)


def lines_found(rule: Rule, code: str, folder: Path) -> set[int]:
    """The lines where a rule alone finds something in an example."""
    options = Options(select=[rule.code], python=max(rule.python, (3, 11)))
    if rule.loads:
        (folder / "function_app.py").write_text(BEFORE + code, "utf-8")
        linted = lint_folder(folder, options)
    else:
        linted = lint_text(code, options)
    assert linted.notes == [note for note in linted.notes if "failed" not in note.message]
    return {finding.line for finding in linted.findings}


@pytest.mark.parametrize(("rule", "number"), INVALID, ids=name_of)
def test_an_invalid_example_is_reported_at_its_marks(rule, number, tmp_path):
    code = rule.invalid[number].code

    assert lines_found(rule, code, tmp_path) == marked_lines(code)


@pytest.mark.parametrize(("rule", "number"), VALID, ids=name_of)
def test_no_rule_reports_anything_in_a_valid_example(rule, number):
    linted = lint_text(rule.valid[number].code, Options(python=rule.python))

    assert [finding for finding in linted.findings if finding.code != "DUR901"] == []


@pytest.mark.parametrize(
    ("rule", "number"), [each for each in INVALID if each[0].invalid[each[1]].fixed], ids=name_of
)
def test_a_fix_makes_what_the_example_shows(rule, number):
    example = rule.invalid[number]
    text = BEFORE + example.code + APP
    options = Options(select=[rule.code])
    linted = lint_source(read_texts({"function_app": text}), options)

    fixed = fix_text(text, chosen_edits(linted.findings))

    assert fixed == BEFORE + example.fixed + APP


@pytest.mark.parametrize("rule", RULES, ids=name_of)
def test_each_rule_has_a_summary_a_reason_and_examples(rule):
    assert rule.valid
    assert rule.invalid
    assert rule.sentence.endswith(".")
    assert len(rule.why) > 100


def test_codes_and_names_are_used_once():
    assert len({rule.code for rule in RULES}) == len({rule.name for rule in RULES}) == len(RULES)
