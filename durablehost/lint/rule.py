"""The form of a rule: one file says all there is to say about it."""

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass

from durablehost.lint.app import App
from durablehost.lint.findings import Found


@dataclass(frozen=True)
class Example:
    """Code that keeps or breaks a rule. `# here` marks each line that the rule reports."""

    code: str
    fixed: str = ""  # what `--fix` makes of it; empty if there is no safe fix


@dataclass(frozen=True)
class Rule:
    """A rule, its reason, its examples, and the function that finds what breaks it."""

    code: str
    name: str
    sentence: str  # what is wrong, in one sentence
    why: str  # what happens on Azure, and what to write instead
    valid: Sequence[Example]
    invalid: Sequence[Example]
    check: Callable[[App], Iterable[Found]]
    python: tuple[int, int] = (3, 0)  # the first version of Python that the rule is about
    loads: bool = False  # whether it needs the loaded app, not only its source
