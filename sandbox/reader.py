"""The document reader: bytes in, the fields of an invoice out, each with how sure it is."""

import hashlib

from aiohttp import web

from sandbox.documents import as_json, misread, read_invoice
from sandbox.faults import WRONG


class Reader:
    """Keeps nothing: the same file is read the same, unless a fault makes it wrong."""

    def reset(self) -> None:
        """There is nothing to forget."""

    def routes(self) -> list[web.RouteDef]:
        return [web.post("/reader/documents", self.read)]

    async def read(self, request: web.Request) -> web.Response:
        """Read a file."""
        content = await request.read()
        fields = read_invoice(content)
        if WRONG.get():
            fields = misread(fields)
        digest = hashlib.sha256(content).hexdigest()
        return web.json_response({"id": f"document-{digest[:16]}", **as_json(fields)})
