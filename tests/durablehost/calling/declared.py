"""Plain functions as functions of an app, each declared alone."""

from collections.abc import Callable
from typing import Any

import azure.durable_functions as df

from durablehost.app.functions import Function
from durablehost.app.loading import index_app


def only(app: df.DFApp) -> Function:
    [function] = index_app(app).functions
    return function


def activity(function: Callable[..., Any]) -> Function:
    app = df.DFApp()
    app.function_name("act")(app.activity_trigger(input_name="x")(function))
    return only(app)


def http(function: Callable[..., Any]) -> Function:
    app = df.DFApp()
    app.function_name("answer")(app.route(route="r")(function))
    return only(app)


def orchestrator(function: Callable[..., Any]) -> Function:
    app = df.DFApp()
    app.function_name("work")(app.orchestration_trigger(context_name="context")(function))
    return only(app)
