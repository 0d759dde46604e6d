"""Each rule has a page that says what it says; `python -m durablehost.lint.pages docs/lint`."""

import pytest

from durablehost.lint.pages import page_of, table_of
from durablehost.lint.rules import all_rules
from tests.source import ROOT

PAGES = ROOT / "docs" / "lint"


@pytest.mark.parametrize("rule", all_rules(), ids=lambda rule: rule.name)
def test_a_rule_has_its_page(rule):
    assert (PAGES / f"{rule.name}.md").read_text("utf-8") == page_of(rule)


def test_the_index_has_a_row_for_each_rule_and_no_page_is_left_of_one_that_is_gone():
    index = (PAGES / "index.md").read_text("utf-8")
    pages = {path.stem for path in PAGES.glob("*.md")}

    assert table_of(all_rules()) in index
    assert pages - {"index", "samples"} == {rule.name for rule in all_rules()}


def test_each_rule_is_in_a_file_with_its_name():
    files = {path.stem for path in (ROOT / "durablehost" / "lint" / "rules").glob("[!_]*.py")}

    assert files == {rule.name.replace("-", "_") for rule in all_rules()}
