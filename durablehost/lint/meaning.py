"""What an expression means: a function, class or module of the app, or a name from elsewhere."""

import ast
import builtins
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any, Final

from durablehost.lint.source import Class, Function, Module, Scope, Source

_DEPTH: Final = 12  # how many names and calls in a row are looked through


@dataclass(frozen=True)
class External:
    """Something from outside the app by its dotted name; `requests.Session()` is what a call "
    "made."""

    name: str


@dataclass(frozen=True)
class Instance:
    """An object of a class of the app."""

    of: Class


@dataclass(frozen=True)
class Value:
    """A constant."""

    value: Any


Target = Function | Class | Module | External | Instance | Value | None


class Meaning:
    """Looks names up as Python does, without running anything."""

    def __init__(self, source: Source) -> None:
        self._source = source
        self._known: dict[tuple[ast.AST, Scope], Target] = {}
        self._given: dict[tuple[Scope, str], list[Target]] = {}

    def of(self, node: ast.AST, scope: Scope, depth: int = 0) -> Target:
        """What an expression in a scope means; None where that cannot be said."""
        key = (node, scope)
        if key not in self._known:
            self._known[key] = None  # while it is looked for: a name may be bound to itself
            found = self._look(node, scope, depth) if depth < _DEPTH else None
            self._known[key] = found
        return self._known[key]

    def _look(self, node: ast.AST, scope: Scope, depth: int) -> Target:
        match node:
            case ast.Constant(value=value):
                return Value(value)
            case ast.Name(id=name):
                return self.named(name, scope, depth)
            case ast.Attribute(value=base, attr=attribute):
                return self._attribute(self.of(base, scope, depth + 1), attribute, depth)
            case ast.Call(func=called):
                return self._result(self.of(called, scope, depth + 1), depth)
            case ast.YieldFrom(value=ast.Call(func=called)):
                return self._ended(self.of(called, scope, depth + 1), depth)
            case ast.Await(value=value) | ast.NamedExpr(value=value) | ast.Starred(value=value):
                return self.of(value, scope, depth + 1)
        return None

    def named(self, name: str, scope: Scope, depth: int = 0) -> Target:
        """What a name means in a scope."""
        looked: Scope | None = scope
        while looked is not None:
            bound, imported = looked.names.get(name, []), looked.imports.get(name)
            is_class = isinstance(looked, Class) and looked is not scope
            if (bound or imported) and not is_class:
                if bound and imported:
                    return None
                if imported:
                    return self._imported(imported, depth)
                return self._declared(bound, looked, depth) or self._agreed(
                    [self._bound(node, looked, depth + 1) for node in bound]
                )
            looked = looked.outer
        for package in scope.module.all_names:
            if (module := self._source.modules.get(package)) and name in module.names:
                return self.named(name, module, depth + 1)
        return External(f"builtins.{name}") if hasattr(builtins, name) else None

    def _declared(self, bound: list[ast.AST], scope: Scope, depth: int) -> Target:
        """The class that an annotation gives a name, whatever is assigned to it."""
        for node in bound:
            parent = self._source.parents.get(node)
            if isinstance(parent, ast.AnnAssign) and parent.target is node:
                found = self._annotated(parent.annotation, scope, depth)
                return found if isinstance(found, Instance) else None
        return None

    def _agreed(self, found: list[Target]) -> Target:
        known = [each for each in found if each is not None]
        same = bool(known) and all(each == known[0] for each in known[1:])
        return known[0] if same and len(known) == len(found) else None

    def _imported(self, dotted: str, depth: int) -> Target:
        if depth > _DEPTH:
            return None
        if module := self._source.modules.get(dotted):
            return module
        package, _, name = dotted.rpartition(".")
        if package in self._source.modules:
            return self.named(name, self._source.modules[package], depth + 1)
        return External(dotted)

    def _bound(self, node: ast.AST, scope: Scope, depth: int) -> Target:
        if depth > _DEPTH:
            return None
        inner = self._source.scope_of.get(node)
        if isinstance(inner, (Class, Function)):
            return inner
        if isinstance(node, ast.arg):
            return self._parameter(node, scope, depth)
        if isinstance(node, ast.ExceptHandler):
            return self._annotated(node.type, scope, depth)
        parent = self._source.parents.get(node)
        match parent:
            case ast.Assign(value=value, targets=targets) if node in targets:
                return self.of(value, scope, depth)
            case ast.NamedExpr(value=value):
                return self.of(value, scope, depth)
            case ast.AnnAssign(value=value, annotation=annotation):
                found = self.of(value, scope, depth) if value is not None else None
                return found or self._annotated(annotation, scope, depth)
            case ast.withitem(context_expr=value):
                return self.of(value, scope, depth)
            case ast.For(iter=ast.List(elts=values) | ast.Tuple(elts=values)):
                return self._agreed([self.of(value, scope, depth) for value in values])
        return None

    def _parameter(self, node: ast.arg, scope: Scope, depth: int) -> Target:
        if isinstance(scope, Function) and (owner := scope.owner) is not None:
            names = [_last_name(each) for each in scope.definition.decorator_list]
            if scope.parameters and node is scope.parameters[0] and "staticmethod" not in names:
                return owner if "classmethod" in names else Instance(owner)
        annotated = self._annotated(node.annotation, scope, depth)
        return annotated or self._agreed(self._given.get((scope, node.arg), []))

    def note_arguments(self, call: ast.Call, scope: Scope, called: Function) -> None:
        """Keep what a call gives a function: it is what its parameters without a class mean."""
        names = [each.arg for each in called.parameters]
        if called.owner is not None and isinstance(call.func, ast.Attribute):
            names = names[1:]
        given = [(given.arg, given.value) for given in call.keywords if given.arg is not None]
        for name, value in [*zip(names, call.args, strict=False), *given]:
            if isinstance(value, ast.Starred):
                return
            self._given.setdefault((called, name), []).append(self.of(value, scope))

    def _annotated(self, annotation: ast.expr | None, scope: Scope, depth: int) -> Target:
        if isinstance(annotation, ast.Constant) and isinstance(annotation.value, str):
            try:
                annotation = ast.parse(annotation.value, mode="eval").body
            except SyntaxError:
                return None
        if isinstance(annotation, ast.BinOp):  # `X | None`
            sides = [annotation.left, annotation.right]
            kept = [each for each in sides if not isinstance(each, ast.Constant)]
            annotation = kept[0] if len(kept) == 1 else None
        if isinstance(annotation, ast.Subscript) and _last_name(annotation.value) in (
            "Optional",
            "Final",
        ):
            annotation = annotation.slice
        if annotation is None:
            return None
        match self.of(annotation, scope.outer or scope, depth + 1):
            case Class() as of:
                return Instance(of)
            case External(name=name) if not name.startswith(("typing.", "builtins.object")):
                return External(f"{name}()")
        return None

    def _attribute(self, base: Target, attribute: str, depth: int) -> Target:
        match base:
            case Module():
                if attribute in base.names or attribute in base.imports:
                    return self.named(attribute, base, depth + 1)
                return self._source.modules.get(f"{base.name}.{attribute}")
            case External(name=name):
                dotted = f"{name}.{attribute}"
                return self._source.modules.get(dotted) or External(dotted)
            case Class():
                return self.member(base, attribute, depth)
            case Instance(of=of):
                found = self.member(of, attribute, depth)
                if isinstance(found, Function) and is_property(found):
                    return self._returned(found, depth)
                return found
        return None

    def member(self, of: Class, name: str, depth: int = 0) -> Target:
        """An attribute of a class or of its objects."""
        if depth > _DEPTH:
            return None
        if name in of.names:
            return self._agreed([self._bound(node, of, depth + 1) for node in of.names[name]])
        assigned = list(self._assigned(of, name, depth))
        if assigned:
            return self._agreed(assigned)
        for base in getattr(of.node, "bases", []):
            match self.of(base, of.outer or of, depth + 1):
                case Class() as parent:
                    if (found := self.member(parent, name, depth + 1)) is not None:
                        return found
        return None

    def _assigned(self, of: Class, name: str, depth: int) -> Iterator[Target]:
        """What the methods of a class assign to `self.name`."""
        for method in methods_of(of, self._source):
            for node in method.nodes:
                match node:
                    case ast.Attribute(value=ast.Name(id="self"), attr=attr, ctx=ast.Store()):
                        if attr != name:
                            continue
                        match self._source.parents.get(node):
                            case ast.Assign(value=value, targets=targets) if node in targets:
                                yield self.of(value, method, depth + 1)
                            case ast.AnnAssign(value=value, annotation=annotation):
                                found = self.of(value, method, depth + 1) if value else None
                                yield found or self._annotated(annotation, method, depth)
                            case ast.Tuple() as names:
                                yield self._unpacked(node, names, method, depth)
                            case _:
                                yield None

    def _unpacked(self, node: ast.AST, names: ast.Tuple, scope: Scope, depth: int) -> Target:
        match self._source.parents.get(names):
            case ast.Assign(value=ast.Tuple(elts=values)) if len(values) == len(names.elts):
                return self.of(values[names.elts.index(node)], scope, depth + 1)  # type: ignore[arg-type] # it is among them
        return None

    def _result(self, called: Target, depth: int) -> Target:
        match called:
            case Class():
                return Instance(called)
            case External(name=name):
                return External(f"{name}()")
            case Function():
                return self._returned(called, depth)
        return None

    def _ended(self, called: Target, depth: int) -> Target:
        """What `yield from` gives, by the annotation `Generator[..., ..., X]` of what it runs."""
        if isinstance(called, Function):
            match called.definition.returns:
                case ast.Subscript(slice=ast.Tuple(elts=[_, _, returned])):
                    return self._annotated(returned, called, depth)
        return None

    def _returned(self, function: Function, depth: int) -> Target:
        if function.is_generator or depth > _DEPTH:
            return None
        found = self._annotated(function.definition.returns, function, depth)
        if found is not None:
            return found
        values = [node.value for node in function.nodes if isinstance(node, ast.Return)]
        if len(values) != 1 or values[0] is None:
            return None
        return self.of(values[0], function, depth + 1)


def methods_of(of: Class, source: Source) -> Iterator[Function]:
    """The methods of a class."""
    for nodes in of.names.values():
        for node in nodes:
            if isinstance(function := source.scope_of.get(node), Function):
                yield function


def is_property(function: Function) -> bool:
    names = [_last_name(each) for each in function.definition.decorator_list]
    return "property" in names or "cached_property" in names


def _last_name(node: ast.expr) -> str:
    return node.attr if isinstance(node, ast.Attribute) else getattr(node, "id", "")
