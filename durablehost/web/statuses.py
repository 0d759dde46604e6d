"""Turn durablehost's exceptions into the host's statuses. A bug becomes an empty 500."""

import logging

from aiohttp import web
from aiohttp.typedefs import Handler

from durablehost import errors
from durablehost.web.paths import split_target

log = logging.getLogger(__name__)

STATUS_OF: dict[type[errors.DurablehostError], int] = {
    errors.BadRequest: 400,
    errors.UnknownFunction: 404,
    errors.InstanceNotFound: 404,
    errors.InstanceExists: 409,
    errors.InstanceEnded: 410,
    errors.WrongState: 412,
    errors.FunctionFailed: 500,
    errors.HubFull: 507,
}
_SAYS_NOTHING = (errors.FunctionFailed, errors.InstanceNotFound, errors.UnknownFunction)


@web.middleware
async def errors_as_status(request: web.Request, handler: Handler) -> web.StreamResponse:
    """Answer exceptions. A caller never gets a traceback; only the log contains it."""
    try:
        return await handler(request)
    except errors.DurablehostError as error:
        status = next((STATUS_OF[kind] for kind in type(error).mro() if kind in STATUS_OF), 500)
        if isinstance(error, _SAYS_NOTHING):
            return web.Response(status=status)
        return web.json_response({"Message": str(error)}, status=status)
    except web.HTTPException as error:
        if error.status < 400:
            raise
        return web.Response(status=error.status)
    except ConnectionError:
        raise  # the caller has hung up, and aiohttp takes it as that
    except Exception:  # translated: a fault of durablehost's own
        log.exception(
            "%s %s: durablehost failed", request.method, split_target(request.raw_path)[0]
        )
        return web.Response(status=500)
