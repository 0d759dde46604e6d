"""Applies the rules to an app."""

import contextlib
import sys
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path, PurePath

from durablehost.errors import CannotStart
from durablehost.lint.app import App
from durablehost.lint.findings import NOTE, Finding
from durablehost.lint.ignoring import ignores_of
from durablehost.lint.loading import Loading, load, script_of
from durablehost.lint.options import Options
from durablehost.lint.rule import Rule
from durablehost.lint.rules import all_rules
from durablehost.lint.rules.ignores import RULE as IGNORES
from durablehost.lint.source import Source, read_folder

_SCRIPT = "function_app"


@dataclass(frozen=True)
class Linted:
    """What the linter says of an app."""

    findings: Sequence[Finding]
    notes: Sequence[Finding]  # what it could not look into
    is_empty: bool  # it found no orchestrator and no entity


def lint_folder(folder: Path, options: Options, *, loads: bool = True) -> Linted:
    """Lint the app in a folder. `loads` imports it, too, which runs its top-level code."""
    script = script_of(folder)
    if not (folder / script).is_file():
        raise CannotStart(f"There is no {script} in {folder}. Name the folder that holds it.")
    loading = load(folder) if loads else Loading()
    with _deep_trees():
        source = read_folder(folder, script.removesuffix(".py"), loading.files)
    return lint_source(source, options, loading)


def lint_source(
    source: Source,
    options: Options,
    loading: Loading | None = None,
    rules: Sequence[Rule] | None = None,
) -> Linted:
    """Lint an app that was read, by all rules if none are given."""
    rules = options.chosen(all_rules() if rules is None else rules)
    with _deep_trees():
        app = App(source, loading or Loading())
        notes = list(_notes(app))
        found = [each for rule in rules for each in _found(app, rule, notes)]
    findings = _without_ignored(source, found, {rule.code for rule in rules})
    is_empty = not app.replayed and not app.in_entities
    return Linted(sorted(findings, key=_place), sorted(notes, key=_place), is_empty)


@contextlib.contextmanager
def _deep_trees() -> Iterator[None]:
    """Allow recursion into the trees of long chains of calls and operators."""
    depth = sys.getrecursionlimit()
    sys.setrecursionlimit(max(depth, 10_000))
    try:
        yield
    finally:
        sys.setrecursionlimit(depth)


def _place(finding: Finding) -> tuple[PurePath, int, str]:
    return finding.path, finding.line, finding.code


def _found(app: App, rule: Rule, notes: list[Finding]) -> list[Finding]:
    """What one rule finds, once for each place; a rule that fails must not fail the run."""
    found: dict[tuple[PurePath, int], Finding] = {}
    try:
        for each in rule.check(app):
            finding = Finding(each.path, each.line, rule.code, each.message, each.edits)
            found.setdefault((each.path, each.line), finding)
    except Exception as error:  # of the linter itself: the other rules still have their say
        says = f"{rule.code} failed ({type(error).__name__}: {error}). Report this, please."
        notes.append(Finding(PurePath(f"{_SCRIPT}.py"), 1, NOTE, says))
    return list(found.values())


def _notes(app: App) -> Iterable[Finding]:
    """What could not be looked into."""
    if app.loading.note:
        yield Finding(PurePath(f"{_SCRIPT}.py"), 1, NOTE, app.loading.note)
    yield from (Finding(*note) for note in app.notes(NOTE))


def _without_ignored(
    source: Source, findings: Sequence[Finding], applied: set[str]
) -> Iterable[Finding]:
    """The findings that no comment switches off, and the comments that switch nothing off."""
    kept = list(findings)
    for module in source.modules.values():
        for ignore in ignores_of(module):
            if not ignore.reason or not ignore.codes:
                continue
            ignored = [
                each
                for each in kept
                if (each.path, each.line) == (module.path, ignore.line)
                and each.code in ignore.codes
            ]
            kept = [each for each in kept if each not in ignored]
            if not ignored and applied.issuperset({IGNORES.code, *ignore.codes}):
                says = f"This comment switches nothing off: no {', '.join(ignore.codes)} here."
                kept.append(Finding(module.path, ignore.comment_line, IGNORES.code, says))
    return kept
