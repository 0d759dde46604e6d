"""What a rule finds: where, in which words, and the edits that correct it."""

import ast
from dataclasses import dataclass
from pathlib import PurePath
from typing import Final

NOTE: Final = "note"  # the code of what is no finding


@dataclass(frozen=True)
class Edit:
    """Replaces the text from one place to another; lines begin at 1, columns (in bytes) at 0."""

    path: PurePath
    start: tuple[int, int]
    end: tuple[int, int]
    text: str


@dataclass(frozen=True)
class Found:
    """What a rule finds: the node, and one or more sentences about it."""

    node: ast.AST
    path: PurePath
    message: str
    edits: tuple[Edit, ...] = ()

    @property
    def line(self) -> int:
        return getattr(self.node, "lineno", 1)


@dataclass(frozen=True)
class Finding:
    """One place where an app breaks a rule."""

    path: PurePath
    line: int
    code: str
    message: str
    edits: tuple[Edit, ...] = ()


def replace(path: PurePath, node: ast.AST, text: str) -> Edit:
    """An edit that puts a text in the place of a node."""
    assert isinstance(node, (ast.expr, ast.stmt))
    end = (node.end_lineno or node.lineno, node.end_col_offset or node.col_offset)
    return Edit(path, (node.lineno, node.col_offset), end, text)


def insert(path: PurePath, place: tuple[int, int], text: str) -> Edit:
    """An edit that puts a text in front of a place."""
    return Edit(path, place, place, text)
