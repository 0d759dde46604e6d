"""Faults of other people's code, written anew: each is found at its line, and nothing else is.

Each heading in `corpus/` is one fault, with the link to where it was seen. A comment with codes
marks a line that is reported.
"""

import re
from dataclasses import dataclass
from pathlib import Path

import pytest

from durablehost.lint.linting import Linted, lint_folder
from durablehost.lint.options import Options
from durablehost.lint.pages import BEFORE
from durablehost.lint.rules import all_rules
from tests.durablehost.lint.examples import APP, lint_text

CORPUS = Path(__file__).parent / "corpus"
FENCE = re.compile(r"^```python ?(\w*)\n(.*?)^```", re.MULTILINE | re.DOTALL)
MARK = re.compile(r"# ((?:DUR\d{3} ?)+)$")
NEWEST = Options(python=(3, 14))


@dataclass(frozen=True)
class Fault:
    """One heading of the corpus."""

    title: str
    link: str
    modules: dict[str, str]  # by name; function_app has the app's first lines already

    @property
    def marked(self) -> set[tuple[str, int, str]]:
        """The file, line and code of all that is to be found."""
        return {
            (f"{module}.py", number, code)
            for module, text in self.modules.items()
            for number, line in enumerate(text.split("\n"), 1)
            if (mark := MARK.search(line))
            for code in mark[1].split()
        }

    def lint(self, folder: Path) -> Linted:
        """Lint the app; in a folder, and loaded, if the fault is one of loading."""
        if not any(code.startswith("DUR00") for _, _, code in self.marked):
            others = {name: text for name, text in self.modules.items() if name != "function_app"}
            code = self.modules["function_app"].removeprefix(BEFORE)
            return lint_text(code, NEWEST, **others)
        for name, text in self.modules.items():
            (folder / f"{name}.py").write_text(text + APP, "utf-8")
        return lint_folder(folder, NEWEST)


def faults() -> list[Fault]:
    found = []
    for page in sorted(CORPUS.glob("*.md")):
        for section in re.split(r"^## ", page.read_text("utf-8"), flags=re.MULTILINE)[1:]:
            title, _, text = section.partition("\n")
            modules = {
                name or "function_app": code if name else BEFORE + code
                for name, code in FENCE.findall(text)
            }
            links = re.findall(r"^<(https://\S+)>$", text, re.MULTILINE)
            assert len(links) == 1, title
            found.append(Fault(title, links[0], modules))
    return found


FAULTS = faults()


@pytest.mark.parametrize("fault", FAULTS, ids=lambda fault: fault.title)
def test_a_fault_is_found_at_its_line_and_nothing_else_is(fault, tmp_path):
    linted = fault.lint(tmp_path)

    found = {(str(each.path), each.line, each.code) for each in linted.findings}
    assert fault.marked
    assert found == fault.marked
    assert [note for note in linted.notes if "failed" in note.message] == []


def test_the_corpus_has_at_least_sixty_faults_of_at_least_forty_sources():
    assert len(FAULTS) >= 60
    assert len({fault.link for fault in FAULTS}) >= 40


def test_every_rule_has_a_public_fault_but_three():
    marked = {code for fault in FAULTS for _, _, code in fault.marked}

    # An activity called as a function, and an input read too early, were found in nobody's issue;
    # comments are the linter's own.
    assert {rule.code for rule in all_rules()} - marked == {"DUR117", "DUR601", "DUR901"}
