"""The mail server. It keeps all messages, and anybody can read them."""

from collections.abc import Callable
from datetime import datetime
from typing import Annotated, Any

from aiohttp import web
from pydantic import Field

from sandbox.answers import Answers, Body, body


class Message(Body):
    to: Annotated[str, Field(pattern=r"^[^@\s]+@[^@\s]+$", max_length=200)]
    subject: Annotated[str, Field(min_length=1, max_length=200)]
    text: str


class Mail:
    """All mailboxes. A message is stored once per idempotency key."""

    def __init__(self, now: Callable[[], datetime]) -> None:
        self._now = now
        self.reset()

    def reset(self) -> None:
        self._answers = Answers()
        self._messages: list[dict[str, Any]] = []

    def routes(self) -> list[web.RouteDef]:
        return [
            web.post("/mail/messages", self.send),
            web.get("/mail/messages", self.show),
        ]

    async def send(self, request: web.Request) -> web.Response:
        """Send `text` under `subject` to an address."""
        message = await body(request, Message)

        def work(key: str) -> dict[str, Any]:
            number = len(self._messages) + 1
            sent = {"id": f"message-{number}", "time": self._now().isoformat(), "key": key}
            self._messages.append(sent | message.model_dump())
            return sent

        return await self._answers.once(request, work)

    async def show(self, request: web.Request) -> web.Response:
        """List all messages, or those to one address (`to`), oldest first."""
        to = request.query.get("to")
        found = [message for message in self._messages if to in (None, message["to"])]
        return web.json_response({"messages": found})
