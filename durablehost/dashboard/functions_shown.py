"""The functions of an app as the dashboard shows them."""

from durablehost.app.functions import Function, FunctionTable, LeftOut
from durablehost.dashboard.source import Json
from durablehost.web.routes import methods_of, route_of


def shown_functions(table: FunctionTable, route_prefix: str) -> Json:
    """What is loaded, and what is not and why."""
    functions = sorted(table.functions, key=lambda one: (one.kind, one.name.lower()))
    return {
        "functions": [_function(one, route_prefix) for one in functions],
        "leftOut": [_left_out(one) for one in table.left_out],
        "warnings": list(table.warnings),
    }


def _function(function: Function, route_prefix: str) -> Json:
    is_http = function.kind == "http"
    return {
        "name": function.name,
        "durableName": function.durable_name,
        "kind": function.kind,
        "trigger": function.trigger["type"],
        "place": str(function.place),
        "isDisabled": function.is_disabled,
        "route": "/" + route_of(function, route_prefix) if is_http else None,
        "methods": list(methods_of(function) or ("GET", "POST")) if is_http else [],
    }


def _left_out(left_out: LeftOut) -> Json:
    return {
        "name": left_out.name,
        "place": str(left_out.place),
        "says": left_out.says,
        "advice": left_out.advice,
    }
