"""`durablehost lint`: prints what breaks the rules of Durable Python."""

import argparse
from collections.abc import Sequence
from pathlib import Path
from typing import Final

from durablehost.command import console
from durablehost.errors import CannotStart
from durablehost.lint.findings import Finding
from durablehost.lint.fixing import fix_files
from durablehost.lint.linting import lint_folder
from durablehost.lint.options import read_options
from durablehost.lint.pages import page_of
from durablehost.lint.printing import FORMS
from durablehost.lint.rules import all_rules

_FINDINGS: Final = 1


def run(given: argparse.Namespace) -> int:
    """Lint the apps; 0 if there is nothing to report, 1 if there is. Raises CannotStart."""
    return _explain(given.explain) if given.explain is not None else _lint(given)


def _lint(given: argparse.Namespace) -> int:
    found: list[tuple[Path, Finding]] = []
    notes: list[tuple[Path, Finding]] = []
    fixed = 0
    empty: list[Path] = []
    for folder in [Path(each) for each in given.folders] or [Path()]:
        options = read_options(folder, _listed(given.select), _listed(given.ignore))
        linted = lint_folder(folder, options, loads=given.load)
        if given.fix and (corrected := fix_files(folder, linted.findings)):
            fixed += corrected
            linted = lint_folder(folder, options, loads=given.load)
        empty += [folder] if linted.is_empty else []
        found += [(folder, each) for each in linted.findings]
        notes += [(folder, each) for each in linted.notes]
    shown = [*found, *notes] if given.notes else found
    if shown or given.format == "json":
        console.say(FORMS[given.format](shown))
    if given.format == "text":
        for folder in empty:
            console.say(f"{folder / 'function_app.py'} leads to no orchestrator and no entity.")
        console.say(_summary(len(found), fixed, 0 if given.notes else len(notes)))
    return _FINDINGS if found else 0


def _summary(found: int, fixed: int, notes: int) -> str:
    parts = [f"{found} finding{'' if found == 1 else 's'}"]
    if fixed:
        parts.append(f"{fixed} corrected")
    if notes:
        parts.append(f"{notes} note{'' if notes == 1 else 's'} (--notes)")
    told = ". `--explain CODE` explains a rule" if found else ""
    return f"{', '.join(parts)}{told}."


def _explain(code: str) -> int:
    rules = all_rules()
    if not code:
        width = max(len(rule.name) for rule in rules)
        for rule in rules:
            console.say(f"{rule.code}  {rule.name:<{width}}  {rule.sentence}")
        return 0
    for rule in rules:
        if code in (rule.code, rule.name):
            console.say(page_of(rule))
            return 0
    raise CannotStart(f"There is no rule {code!r}. `durablehost lint --explain` lists all rules.")


def _listed(text: str | None) -> Sequence[str] | None:
    if text is None:
        return None
    return [each.strip() for each in text.split(",") if each.strip()]
