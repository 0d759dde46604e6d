"""Other origins whose pages may call the app: `Host.CORS` in local.settings.json."""

from aiohttp import hdrs, web
from aiohttp.typedefs import Handler, Middleware

from durablehost.settings import Settings


def cors(settings: Settings) -> Middleware:
    """Answer preflights and add headers as ASP.NET does. Without Host.CORS, do nothing."""

    @web.middleware
    async def middleware(request: web.Request, handler: Handler) -> web.StreamResponse:
        origin = request.headers.get(hdrs.ORIGIN)
        if origin is None or not settings.cors:
            return await handler(request)
        method = request.headers.get(hdrs.ACCESS_CONTROL_REQUEST_METHOD)
        preflight = request.method == hdrs.METH_OPTIONS and method is not None
        answer = web.Response(status=204) if preflight else await handler(request)
        allowed = allowed_origin(settings, origin)
        if allowed is None:
            return answer
        answer.headers[hdrs.ACCESS_CONTROL_ALLOW_ORIGIN] = allowed
        if settings.cors_credentials:
            answer.headers[hdrs.ACCESS_CONTROL_ALLOW_CREDENTIALS] = "true"
        if len(settings.cors) > 1 and allowed != "*":
            answer.headers.add(hdrs.VARY, hdrs.ORIGIN)
        if preflight and method is not None:
            answer.headers[hdrs.ACCESS_CONTROL_ALLOW_METHODS] = method
            if asked := request.headers.get(hdrs.ACCESS_CONTROL_REQUEST_HEADERS):
                answer.headers[hdrs.ACCESS_CONTROL_ALLOW_HEADERS] = asked
        return answer

    return middleware


def allowed_origin(settings: Settings, origin: str) -> str | None:
    """What `Host.CORS` allows this origin, or None."""
    if "*" in settings.cors:
        return "*"
    return origin if origin.lower() in {known.lower() for known in settings.cors} else None
