"""An app as the rules see it: its source, what names mean, what runs in a replay."""

import ast
import sys
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import PurePath
from typing import Final

from durablehost.lint.constants import Constants
from durablehost.lint.declared import Declarations, Kind
from durablehost.lint.effects import DIFFERS, MAY_DIFFER, Effects
from durablehost.lint.findings import Edit, Found, replace
from durablehost.lint.loading import Loading
from durablehost.lint.meaning import External, Meaning, Value
from durablehost.lint.reach import Reach, Step
from durablehost.lint.source import Function, Module, Scope, Source
from durablehost.lint.tasks import Tasks, method_of


@dataclass(frozen=True)
class Use:
    """A call or a name from outside the app, in a function that an orchestrator leads to."""

    node: ast.expr
    name: str  # dotted
    step: Step

    @property
    def function(self) -> Function:
        return self.step.function


class App:
    """All that is known of an app without running it."""

    def __init__(
        self,
        source: Source,
        loading: Loading,
    ) -> None:
        self.source: Final = source
        self.loading: Final = loading
        self.meaning: Final = Meaning(source)
        self.constants: Final = Constants(source, self.meaning)
        self.declarations: Final = Declarations(source, self.meaning)
        self.reach: Final = Reach(source, self.meaning, self.declarations)
        self.tasks: Final = Tasks(source, self.meaning)
        self.effects: Final = Effects(source, self.reach, self.tasks)
        self._uses: dict[Kind, list[Use]] = {}

    def names(self, kind: Kind) -> list[str] | None:
        """The names of all durable functions of a kind; None where some may be unknown."""
        if self.loading.names is not None:
            return sorted(self.loading.names[kind])
        return self.declarations.names(kind) if self.declarations.are_complete else None

    @property
    def replayed(self) -> list[Step]:
        """The functions that orchestrators lead to."""
        return list(self.reach.orchestrations.values())

    @property
    def in_entities(self) -> list[Step]:
        """The functions that entities lead to."""
        return list(self.reach.entities.values())

    def found(self, node: ast.AST, function: Scope, message: str, *edits: Edit | None) -> Found:
        """What a rule found at a node of a function."""
        kept = tuple(edit for edit in edits if edit is not None)
        return Found(node, function.module.path, message, kept)

    def uses(self, kind: Kind) -> list[Use]:
        """What orchestrators, or entities, use from outside the app."""
        if kind not in self._uses:
            steps = self.replayed if kind == "orchestration" else self.in_entities
            self._uses[kind] = [use for step in steps for use in self._uses_of(step)]
        return self._uses[kind]

    def replay_unsafe(
        self,
        wanted: Callable[[str, ast.expr], bool],
        instead: str,
        *,
        fix: Callable[[Use], Edit | None] | None = None,
        differs: str = DIFFERS,
    ) -> Iterator[Found]:
        """Values that differ in a replay, each with the way to it and what it decides."""
        for use in self.uses("orchestration"):
            if not wanted(use.name, use.node):
                continue
            if use.step.is_guarded or self.reach.is_guarded(use.node, use.function):
                continue  # it is for a log line, and nothing that is replayed sees it
            effect = self.effects.of(use.node, use.function, differs)
            edit = fix(use) if fix is not None else None
            yield self.found(use.node, use.function, f"{self.says(use)}. {effect} {instead}", edit)
        yield from self._kept_by_modules(wanted, instead)

    def _kept_by_modules(
        self, wanted: Callable[[str, ast.expr], bool], instead: str
    ) -> Iterator[Found]:
        """Variables of modules with a value that another process may not have, if they decide."""
        for step in self.replayed:
            for node in step.function.nodes:
                value, module = self._module_value(node, step.function)
                if value is None or step.is_guarded or self.reach.is_guarded(node, step.function):
                    continue
                name = self._taken_from(value, module, wanted)
                if name and self.effects.changes_tasks(node, step.function):
                    says = f"{step.path} uses {ast.unparse(node)}, which the app takes from {name}"
                    at = f"when it starts ({module.module.path.name}:{value.lineno})"
                    effect = self.effects.of(node, step.function, MAY_DIFFER)
                    yield self.found(node, step.function, f"{says} {at}. {effect} {instead}")

    def _module_value(self, node: ast.AST, function: Function) -> tuple[ast.expr | None, Scope]:
        """What the variable of a module that is read here is bound to, and the module."""
        match node:
            case ast.Name(id=name, ctx=ast.Load()):
                value, scope = self.constants.bound(name, function)
            case ast.Attribute(value=base, attr=name, ctx=ast.Load()):
                of = self.meaning.of(base, function)
                value, scope = (
                    self.constants.bound(name, of) if isinstance(of, Module) else (None, function)
                )
            case _:
                return None, function
        return (value, scope) if isinstance(scope, Module) else (None, function)

    def _taken_from(
        self,
        value: ast.AST,
        scope: Scope,
        wanted: Callable[[str, ast.expr], bool],
        seen: frozenset[Function] = frozenset(),
    ) -> str:
        """The name of what an expression of a module reads, also in functions that it calls."""
        for node in ast.walk(value):
            if not isinstance(node, (ast.Call, ast.Attribute, ast.Name)):
                continue
            target = self.meaning.of(node.func if isinstance(node, ast.Call) else node, scope)
            if isinstance(target, External) and wanted(target.name, node):
                return target.name
            if isinstance(target, Function) and isinstance(node, ast.Call) and target not in seen:
                for inner in target.definition.body:
                    if name := self._taken_from(inner, target, wanted, seen | {target}):
                        return name
        return ""

    def forbidden(
        self, wanted: Callable[[str, ast.expr], bool], instead: str, kind: Kind = "orchestration"
    ) -> Iterator[Found]:
        """Calls that have no place in an orchestrator, whatever their result."""
        for use in self.uses(kind):
            if wanted(use.name, use.node):
                yield self.found(use.node, use.function, f"{self.says(use)}. {instead}")

    def says(self, use: Use) -> str:
        """Who uses what, and the way there."""
        name = use.name.removeprefix("builtins.")
        if "()" in name and isinstance(use.node, ast.Call):  # of an object: as the app names it
            name = ast.unparse(use.node.func)
        verb = "calls" if isinstance(use.node, ast.Call) else "reads"
        return f"{use.step.path} {verb} {name}"

    def text(self, node: ast.expr | None, scope: Scope) -> str | None:
        """A text that is written in the source, here or where a name is bound."""
        if node is None:
            return None
        target = self.meaning.of(node, scope)
        value = target.value if isinstance(target, Value) else self.constants.of(node, scope)
        return value if isinstance(value, str) else None

    def context_in(self, node: ast.AST) -> str | None:
        """The expression for the orchestration context at a node, to write into a fix."""
        for outer in self.source.ancestors(node):
            scope = self.source.scope_of.get(outer)
            if isinstance(scope, Function):
                return next(
                    (each.arg for each in scope.parameters if each.arg in ("context", "ctx")), None
                )
        return None

    def in_context(self, function: Function) -> Iterator[ast.Call]:
        """The calls of methods of the context in a function, by their names alone."""
        for node in function.nodes:
            if isinstance(node, ast.Call) and method_of(node):
                yield node

    def notes(self, code: str) -> Iterator[tuple[PurePath, int, str, str]]:
        """The calls in a replay that could not be followed, as findings of this code."""
        for call, unresolved in self.reach.unresolved.items():
            if unresolved.function in self.reach.orchestrations:
                says = f"Cannot tell what {ast.unparse(call.func)[:60]}(...) calls."
                yield unresolved.function.module.path, call.lineno, code, says
        for call, scope in self.declarations.hidden if self.loading.names is None else []:
            says = f"Cannot tell which functions {ast.unparse(call)[:60]} registers."
            yield scope.module.path, call.lineno, code, says
        seen = set()
        for use in self.uses("orchestration"):
            package = use.name.partition(".")[0].removesuffix("()")
            is_known = package in sys.stdlib_module_names or package in ("builtins", "azure")
            if not is_known and package not in seen:
                seen.add(package)
                says = f"{self.says(use)}: the package {package} is not looked into."
                yield use.function.module.path, use.node.lineno, code, says

    def replacement(self, use: Use, text: str) -> Edit:
        return replace(use.function.module.path, use.node, text)

    def _uses_of(self, step: Step) -> Iterator[Use]:
        function = step.function
        called = set()
        for node in function.nodes:
            if isinstance(node, ast.Call):
                called.add(node.func)
                if isinstance(target := self.meaning.of(node.func, function), External):
                    yield Use(node, target.name, step)
        for node in function.nodes:
            if isinstance(node, (ast.Attribute, ast.Name)) and node not in called:
                if not isinstance(node.ctx, ast.Load) or self._is_annotation(node):
                    continue
                parent = self.source.parents.get(node)
                if isinstance(parent, ast.Attribute):
                    continue
                target = self.meaning.of(node, function)
                if isinstance(target, External) and "()" not in target.name:
                    yield Use(node, target.name, step)

    def _is_annotation(self, node: ast.AST) -> bool:
        inner = node
        for outer in self.source.ancestors(node):
            if isinstance(outer, ast.AnnAssign) and inner is outer.annotation:
                return True
            if isinstance(outer, ast.stmt):
                return False
            inner = outer
        return False
