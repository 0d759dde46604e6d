"""What runs in a replay: the functions that an orchestrator or entity leads to, and by which way.

Calls are followed through functions, methods, properties, generators, context managers and
decorators of the app. A function that is passed on is taken for called. Activities are not: the
host calls them.
"""

import ast
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Final

from durablehost.lint.declared import Declarations, Declared, Kind
from durablehost.lint.meaning import Instance, Meaning, is_property
from durablehost.lint.source import Class, Function, Source

# What `context` offers to create a task, and where the name of what is called stands.
TASK_METHODS: Final = frozenset(
    {
        "call_activity",
        "call_activity_with_retry",
        "call_entity",
        "call_http",
        "call_sub_orchestrator",
        "call_sub_orchestrator_with_retry",
        "create_timer",
        "task_all",
        "task_any",
        "wait_for_external_event",
    }
)
_ARROW: Final = " → "


@dataclass(frozen=True)
class Step:
    """One function on the way from an orchestrator or entity, and the call that leads to it."""

    function: Function
    root: Declared
    is_guarded: bool = False  # runs only `if not context.is_replaying`
    call: ast.AST | None = None
    previous: "Step | None" = None

    @property
    def path(self) -> str:
        """The names of the functions on the way, the root first."""
        names = [self.function.name]
        step = self.previous
        while step is not None:
            names.append(step.function.name)
            step = step.previous
        return _ARROW.join(reversed(names))


@dataclass(frozen=True)
class Unresolved:
    """A call that the linter cannot follow."""

    node: ast.Call
    function: Function


class Reach:
    """The functions that orchestrators and entities lead to, each with one of the shortest ways."""

    def __init__(self, source: Source, meaning: Meaning, declarations: Declarations) -> None:
        self._source = source
        self._meaning = meaning
        self._declarations = declarations
        self._edges: dict[Function, list[tuple[ast.AST, Function, bool]]] = {}
        self._methods = {name for each in source.classes for name in each.names}
        self.unresolved: dict[ast.Call, Unresolved] = {}
        self.orchestrations: Final = self._from("orchestration")
        self.entities: Final = self._from("entity")

    def callers(self, function: Function) -> Iterator[tuple[ast.AST, Function]]:
        """The calls of a function among what runs in a replay."""
        for caller in self.orchestrations:
            for call, called, _ in self._edges[caller]:
                if called is function:
                    yield call, caller

    def called(self, call: ast.AST, function: Function) -> list[Function]:
        """The functions of the app that a call leads to."""
        return [called for node, called, _ in self._edges[function] if node is call]

    def is_guarded(self, node: ast.AST, function: Function) -> bool:
        """Whether this code runs only while the orchestrator is not replaying."""
        inner = node
        for outer in self._source.ancestors(node):
            if outer is function.node:
                break
            if isinstance(outer, (ast.If, ast.IfExp)):
                in_body = inner in (outer.body if isinstance(outer, ast.If) else [outer.body])
                in_else = inner in (outer.orelse if isinstance(outer, ast.If) else [outer.orelse])
                if in_body and self._says_live(outer.test, function):
                    return True
                if in_else and self._says_replaying(outer.test, function):
                    return True
            inner = outer
        return self._returned_before(node, function)

    def _returned_before(self, node: ast.AST, function: Function) -> bool:
        """Whether `if context.is_replaying: return` stands above, at the top of the function."""
        line = getattr(node, "lineno", 0)
        return any(
            isinstance(statement, ast.If)
            and statement.lineno < line
            and self._says_replaying(statement.test, function)
            and isinstance(statement.body[-1], (ast.Return, ast.Raise))
            for statement in function.definition.body
        )

    def _says_live(self, test: ast.expr, function: Function) -> bool:
        match test:
            case ast.UnaryOp(op=ast.Not(), operand=operand):
                return self._says_replaying(operand, function)
            case ast.BoolOp(op=ast.And(), values=values):
                return any(self._says_live(each, function) for each in values)
            case ast.Compare(left=left, ops=[ast.Eq() | ast.Is()], comparators=[right]):
                is_false = isinstance(right, ast.Constant) and right.value is False
                return is_false and self._says_replaying(left, function)
        return False

    def _says_replaying(self, test: ast.expr, function: Function) -> bool:
        match test:
            case ast.Attribute(attr="is_replaying" | "_is_replaying"):
                return True
            case ast.Name(id=name):
                nodes = function.names.get(name, [])
                parents = [self._source.parents.get(node) for node in nodes]
                return any(
                    isinstance(parent, ast.Assign)
                    and self._says_replaying(parent.value, function)
                    and not isinstance(parent.value, ast.Name)
                    for parent in parents
                )
        return False

    def _from(self, kind: Kind) -> dict[Function, Step]:
        """Breadth first, so that the way to each function is short; unguarded ways win."""
        found: dict[Function, Step] = {}
        waiting = [Step(root.function, root) for root in self._declarations.of_kind(kind)]
        while waiting:
            step, waiting = waiting[0], waiting[1:]
            known = found.get(step.function)
            if known is not None and (step.is_guarded or not known.is_guarded):
                continue
            found[step.function] = step
            for call, function, is_guarded in self._edges_of(step.function):
                guarded = step.is_guarded or is_guarded
                waiting.append(Step(function, step.root, guarded, call, step))
        return found

    def _edges_of(self, function: Function) -> list[tuple[ast.AST, Function, bool]]:
        if function not in self._edges:
            self._edges[function] = [
                (node, called, self.is_guarded(node, function))
                for node, called in self._calls(function)
                if called is not function
            ]
        return self._edges[function]

    def _calls(self, function: Function) -> Iterator[tuple[ast.AST, Function]]:
        if not isinstance(function.node, ast.Lambda):
            for wrapper in self._wrappers(function):
                yield function.node, wrapper
        for node in function.nodes:
            if isinstance(node, ast.Call):
                yield from ((node, called) for called in self._called(node, function))
                yield from ((node, passed) for passed in self._passed(node, function))
            elif isinstance(node, ast.Attribute) and isinstance(node.ctx, ast.Load):
                yield from ((node, each) for each in self._property(node, function))
            elif isinstance(node, (ast.With, ast.AsyncWith)):
                for item in node.items:
                    match self._meaning.of(item.context_expr, function):
                        case Instance(of=of):
                            for name in ("__enter__", "__exit__"):
                                if isinstance(found := self._meaning.member(of, name), Function):
                                    yield item.context_expr, found

    def _called(self, call: ast.Call, function: Function) -> Iterator[Function]:
        match self._meaning.of(call.func, function):
            case Function() as called:
                self._meaning.note_arguments(call, function, called)
                yield called
            case Class() as of:
                for name in ("__init__", "__post_init__"):
                    if isinstance(found := self._meaning.member(of, name), Function):
                        yield found
            case Instance(of=of):
                if isinstance(found := self._meaning.member(of, "__call__"), Function):
                    yield found
            case None:
                self._note(call, function)

    def _passed(self, call: ast.Call, function: Function) -> Iterator[Function]:
        """Functions of the app among the arguments: whoever gets them may call them."""
        if isinstance(call.func, ast.Attribute) and call.func.attr in TASK_METHODS:
            return
        for given in [*call.args, *(keyword.value for keyword in call.keywords)]:
            for each in [given, *(given.elts if isinstance(given, (ast.List, ast.Tuple)) else [])]:
                if not isinstance(each, (ast.Name, ast.Attribute)):
                    continue
                passed = self._meaning.of(each, function)
                if isinstance(passed, Function) and passed not in self._declarations.by_function:
                    yield passed

    def _property(self, node: ast.Attribute, function: Function) -> Iterator[Function]:
        match self._meaning.of(node.value, function):
            case Instance(of=of):
                found = self._meaning.member(of, node.attr)
                if isinstance(found, Function) and is_property(found):
                    yield found

    def _wrappers(self, function: Function) -> Iterator[Function]:
        """What the app's own decorators put around a function: it runs at every call."""
        for decorator in function.definition.decorator_list:
            made_by_call = isinstance(decorator, ast.Call)
            named = decorator.func if isinstance(decorator, ast.Call) else decorator
            found = self._meaning.of(named, function.outer or function)
            if isinstance(found, Function):
                depth = 2 if made_by_call else 1
                yield from self._nested(found, depth)

    def _nested(self, function: Function, depth: int) -> Iterator[Function]:
        for node in function.nodes:
            inner = self._source.scope_of.get(node)
            if isinstance(inner, Function):
                if depth == 1:
                    yield inner
                else:
                    yield from self._nested(inner, depth - 1)

    def _note(self, call: ast.Call, function: Function) -> None:
        """Keep in mind a call of something that is only known at run time."""
        match call.func:
            case ast.Name(id=name):
                is_parameter = any(name == each.arg for each in function.parameters)
                if is_parameter or name in function.names:
                    self.unresolved[call] = Unresolved(call, function)
            case ast.Attribute(value=ast.Constant() | ast.JoinedStr()):
                pass  # `"...".format(...)`
            case ast.Attribute(attr=name) if name in self._methods and name not in TASK_METHODS:
                self.unresolved[call] = Unresolved(call, function)
            case ast.Subscript(value=generic) if self._meaning.of(generic, function) is not None:
                pass  # `Counter[str]()`
            case ast.Call() | ast.Subscript():
                self.unresolved[call] = Unresolved(call, function)
