"""All rules: each module of this package holds one, by the name RULE."""

import importlib
import pkgutil
from functools import cache

from durablehost.lint.rule import Rule


@cache
def all_rules() -> tuple[Rule, ...]:
    """The rules, by their codes."""
    modules = [
        importlib.import_module(f"{__name__}.{found.name}")
        for found in pkgutil.iter_modules(__path__)
    ]
    return tuple(sorted((module.RULE for module in modules), key=lambda rule: rule.code))
