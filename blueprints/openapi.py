"""OpenAPI: GET /api/openapi.json describes every route of the app."""

from pathlib import Path
from typing import Final

import azure.durable_functions as df
import azure.functions as func

# Written from the routes and their models by `python dev.py openapi`.
DOCUMENT: Final = Path(__file__).parents[1] / "openapi.json"

bp = df.Blueprint()


@bp.route(route="openapi.json", methods=["GET"])
def show_openapi(req: func.HttpRequest) -> func.HttpResponse:
    """Return this description."""
    return func.HttpResponse(DOCUMENT.read_bytes(), mimetype="application/json")
