"""What depends on a value that differs in a replay: which tasks are scheduled, or only a value."""

import ast
from typing import Final

from durablehost.lint.reach import TASK_METHODS, Reach
from durablehost.lint.source import Function, Source
from durablehost.lint.tasks import Tasks, method_of

DIFFERS: Final = "It differs in each replay"
MAY_DIFFER: Final = "It may differ in a later replay"

_GROUPS: Final = {"task_all", "task_any"}
_REPORTS: Final = frozenset(
    {
        "critical",
        "debug",
        "error",
        "exception",
        "info",
        "log",
        "set_custom_status",
        "warning",
    }
)
_DEPTH: Final = 6


class Effects:
    """Follows a value through assignments, calls and returns to the decisions that it makes."""

    def __init__(self, source: Source, reach: Reach, tasks: Tasks) -> None:
        self._source = source
        self._reach = reach
        self._tasks = tasks

    def of(self, node: ast.AST, function: Function, differs: str = DIFFERS) -> str:
        """What a value at this place does in a replay, as a sentence."""
        if self.changes_tasks(node, function):
            return f"{differs} and changes which task is scheduled."
        return f"{differs}, so the value is not safe to use after a yield."

    def changes_tasks(self, node: ast.AST, function: Function) -> bool:
        """Whether a value at this place decides which task is scheduled."""
        return self._decides(node, function, set(), 0)

    def _decides(self, node: ast.AST, function: Function, seen: set[ast.AST], depth: int) -> bool:
        if node in seen or depth > _DEPTH:
            return False
        seen.add(node)
        inner = node
        for outer in self._source.ancestors(node):
            match outer:
                case ast.IfExp(test=test) if inner is test:
                    return self._decided(function, seen, depth)
                case (
                    ast.If(test=decided)
                    | ast.While(test=decided)
                    | ast.Match(subject=decided)
                    | ast.For(iter=decided)
                ):
                    acts = inner is decided and not _only_reports(outer)
                    return acts and self._decided(function, seen, depth)
                case ast.Assert():
                    return True
                case ast.comprehension(iter=iterated, ifs=tests):
                    if inner is iterated or inner in tests:
                        return True
                case ast.Call() if method_of(outer) in TASK_METHODS - _GROUPS:
                    return _is_name(inner, outer)  # an input does not decide: results are kept
                case ast.Call():
                    if self._decides_inside(outer, inner, function, seen, depth):
                        return True
                case ast.Return():
                    return self._returned(function, seen, depth)
                case ast.Assign(targets=targets):
                    return self._named(targets, function, seen, depth)
                case ast.AnnAssign(target=target) | ast.AugAssign(target=target):
                    return self._named([target], function, seen, depth)
                case ast.NamedExpr(target=target):
                    if self._named([target], function, seen, depth):
                        return True
                case ast.stmt():
                    return False
            inner = outer
        return False

    def _decided(self, function: Function, seen: set[ast.AST], depth: int) -> bool:
        """A branch in a function that yields decides; elsewhere, what the function returns may."""
        return function.is_generator or self._returned(function, seen, depth)

    def _returned(self, function: Function, seen: set[ast.AST], depth: int) -> bool:
        return any(
            self._decides(call, caller, seen, depth + 1)
            for call, caller in self._reach.callers(function)
        )

    def _named(
        self, targets: list[ast.expr], function: Function, seen: set[ast.AST], depth: int
    ) -> bool:
        names = {
            node.id
            for target in targets
            for node in ast.walk(target)
            if isinstance(node, ast.Name) and isinstance(node.ctx, ast.Store)
        }
        return any(
            self._decides(load, function, seen, depth)
            for name in names
            for load in self._tasks.loads(name, function)
        )

    def _decides_inside(
        self, call: ast.Call, given: ast.AST, function: Function, seen: set[ast.AST], depth: int
    ) -> bool:
        """Whether a function of the app that gets the value decides by it."""
        for called in self._reach.called(call, function):
            names = [each.arg for each in called.parameters]
            if called.owner is not None:
                names = names[1:]
            for position, each in enumerate(call.args):
                if each is given and position < len(names):
                    name = names[position]
                    loads = self._tasks.loads(name, called)
                    if any(self._decides(load, called, seen, depth + 1) for load in loads):
                        return True
        return False


def _only_reports(node: ast.AST) -> bool:
    """Whether a statement at most logs, or sets the custom status."""
    match node:
        case ast.Pass():
            return True
        case ast.Expr(value=ast.Call(func=ast.Name(id="print"))):
            return True
        case ast.Expr(value=value):
            return method_of(value) in _REPORTS
        case ast.If(body=body, orelse=more) | ast.For(body=body, orelse=more):
            return all(map(_only_reports, [*body, *more]))
        case ast.Match(cases=cases):
            return all(_only_reports(each) for case in cases for each in case.body)
    return False


def _is_name(given: ast.AST, call: ast.Call) -> bool:
    """Whether this argument names what is called or awaited."""
    is_named = isinstance(given, ast.keyword) and given.arg in ("name", "entityId")
    is_first = bool(call.args) and given is call.args[0]
    return method_of(call) != "create_timer" and (is_named or is_first)
