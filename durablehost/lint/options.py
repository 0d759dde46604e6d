"""Which rules are on: the command line, then `[tool.durablehost.lint]` in pyproject.toml."""

import sys
import tomllib
from collections.abc import Collection, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

from durablehost.errors import CannotStart
from durablehost.lint.rule import Rule

_KEYS: Final = {"select", "ignore", "python"}


@dataclass(frozen=True)
class Options:
    """What to look for."""

    select: Sequence[str] = ()  # codes, beginnings of codes, or names; empty for all
    ignore: Sequence[str] = ()
    python: tuple[int, int] = sys.version_info[:2]

    def chosen(self, rules: Collection[Rule]) -> list[Rule]:
        """The rules that are on. Raises CannotStart if one is named that does not exist."""
        for name in (*self.select, *self.ignore):
            if not any(_names(name, rule) for rule in rules):
                raise CannotStart(
                    f"There is no rule {name!r}. `durablehost lint --explain` lists all rules."
                )
        return [
            rule
            for rule in rules
            if rule.python <= self.python
            and (not self.select or any(_names(name, rule) for name in self.select))
            and not any(_names(name, rule) for name in self.ignore)
        ]


def _names(name: str, rule: Rule) -> bool:
    return rule.name == name or (name.startswith("DUR") and rule.code.startswith(name))


def read_options(
    folder: Path, select: Sequence[str] | None, ignore: Sequence[str] | None
) -> Options:
    """The options for an app; what the command line says wins. Raises CannotStart."""
    settings = _settings(folder)
    return Options(
        tuple(select if select is not None else settings.get("select", ())),
        tuple(ignore if ignore is not None else settings.get("ignore", ())),
        _python(settings.get("python"), folder),
    )


def _settings(folder: Path) -> dict[str, Any]:
    """The section of the nearest pyproject.toml, in the app's folder or above it."""
    for parent in [folder.resolve(), *folder.resolve().parents]:
        path = parent / "pyproject.toml"
        if not path.is_file():
            continue
        try:
            section = tomllib.loads(path.read_text("utf-8")).get("tool", {}).get("durablehost", {})
        except tomllib.TOMLDecodeError as error:
            raise CannotStart(f"{path} is no TOML: {error}.") from None
        found: dict[str, Any] = section.get("lint", {})
        if unknown := found.keys() - _KEYS:
            raise CannotStart(
                f"{path}: [tool.durablehost.lint] has no {sorted(unknown)[0]!r}. It has "
                f"{', '.join(sorted(_KEYS))}."
            )
        for key in ("select", "ignore"):
            if not _are_texts(found.get(key, [])):
                raise CannotStart(f'{path}: {key} is no list of codes; write {key} = ["DUR101"].')
        return found
    return {}


def _are_texts(value: object) -> bool:
    return isinstance(value, list) and all(isinstance(each, str) for each in value)


def _python(text: object, folder: Path) -> tuple[int, int]:
    if text is None:
        return sys.version_info[:2]
    try:
        major, minor = str(text).split(".")
        return int(major), int(minor)
    except ValueError:
        raise CannotStart(f'{folder}: python = {text!r} is no version; write "3.14".') from None
