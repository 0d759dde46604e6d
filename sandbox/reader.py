"""The document reader: returns the fields of an invoice file, each with a confidence."""

import hashlib

from aiohttp import web

from sandbox.documents import as_json, misread, read_invoice
from sandbox.faults import WRONG


class Reader:
    """Reads the same file in the same way each time, unless a fault makes it wrong."""

    def reset(self) -> None:
        """Do nothing: there is no state."""

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
