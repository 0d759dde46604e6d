"""The findings as text, as JSON, or as annotations of GitHub."""

import json
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Final

from durablehost.lint.findings import NOTE, Finding

Form = Callable[[Sequence[tuple[Path, Finding]]], str]


def as_text(findings: Sequence[tuple[Path, Finding]]) -> str:
    """A line for each finding."""
    return "\n".join(
        f"{folder / each.path}:{each.line}: {each.code} {each.message}" for folder, each in findings
    )


def as_json(findings: Sequence[tuple[Path, Finding]]) -> str:
    """A list of objects."""
    return json.dumps(
        [
            {
                "file": (folder / each.path).as_posix(),
                "line": each.line,
                "code": each.code,
                "message": each.message,
            }
            for folder, each in findings
        ],
        indent=2,
    )


def as_github(findings: Sequence[tuple[Path, Finding]]) -> str:
    """Commands that put the findings beside the lines of a pull request."""
    return "\n".join(
        f"::{'notice' if each.code == NOTE else 'error'} "
        f"file={_escaped((folder / each.path).as_posix(), ',:')},line={each.line},"
        f"title={each.code}::{_escaped(each.message)}"
        for folder, each in findings
    )


def _escaped(text: str, more: str = "") -> str:
    for character in f"%\r\n{more}":
        text = text.replace(character, f"%{ord(character):02X}")
    return text


FORMS: Final[dict[str, Form]] = {"text": as_text, "json": as_json, "github": as_github}
