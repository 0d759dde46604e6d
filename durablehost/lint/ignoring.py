"""Comments that switch rules off for a line: `# durable: ignore[DUR101] why it is right here`."""

import io
import re
import tokenize
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Final

from durablehost.lint.source import Module

_COMMENT: Final = re.compile(r"#\s*durable:\s*ignore(?:\[([^\]]*)\])?\s*(.*)")


@dataclass(frozen=True)
class Ignore:
    """One comment: it is for its own line, or for the next one where it stands alone."""

    comment_line: int
    line: int
    codes: tuple[str, ...]
    reason: str


def ignores_of(module: Module) -> Iterator[Ignore]:
    """The comments of a file that switch rules off."""
    if not any("durable:" in line for line in module.lines):
        return
    for token in tokenize.generate_tokens(io.StringIO("\n".join(module.lines)).readline):
        if token.type != tokenize.COMMENT or not (found := _COMMENT.match(token.string)):
            continue
        row, column = token.start
        stands_alone = not token.line[:column].strip()
        codes = tuple(code.strip() for code in (found[1] or "").split(",") if code.strip())
        yield Ignore(row, row + 1 if stands_alone else row, codes, found[2].strip())
