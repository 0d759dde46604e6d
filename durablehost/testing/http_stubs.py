"""Answers `context.call_http` as the test says; no other request leaves this process."""

import inspect
import json
import re
from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass, field
from typing import Any

from multidict import CIMultiDict

from durablehost.calling.http_activity import HttpCaller, visible_headers
from durablehost.hub.backend import ActivityWork
from durablehost.hub.history import compact
from durablehost.testing.calls import CallLog
from durablehost.testing.in_process import ORIGIN, Answer


@dataclass(frozen=True)
class HttpRequest:
    """A request that an orchestrator makes by `call_http`."""

    method: str
    url: str
    headers: Mapping[str, str]
    content: str | None
    token_resource: str | None = None  # for which the host would get a token

    def json(self) -> Any:
        return json.loads(self.content or "null")


@dataclass(frozen=True)
class HttpAnswer:
    """An answer to `call_http`; its body is `text`, or `json` as JSON text."""

    status: int = 200
    json: Any = None
    text: str | None = None
    headers: Mapping[str, str] = field(default_factory=dict)

    @property
    def content(self) -> str:
        if self.text is not None:
            return self.text
        return "" if self.json is None else compact(self.json)


Respond = Callable[[HttpRequest], HttpAnswer | Awaitable[HttpAnswer]]
Send = Callable[[str, str, str | None, Mapping[str, str]], Awaitable[Answer]]


class NotStubbed(AssertionError):
    """The app makes an HTTP call for which the test has no answer."""


class _Route:
    """The answers to one method and URL, in order. The last one repeats."""

    def __init__(self, method: str, url: str) -> None:
        self.method = method.upper()
        self.url = url
        self._matches = re.compile(".*".join(re.escape(part) for part in url.split("*"))).fullmatch
        self._answers: list[HttpAnswer | Respond] = []

    def add(self, answer: "HttpAnswer | Respond") -> None:
        self._answers.append(answer)

    def answers(self, request: HttpRequest) -> bool:
        return self.method in ("*", request.method) and bool(self._matches(request.url))

    async def answer(self, request: HttpRequest) -> HttpAnswer:
        answer = self._answers.pop(0) if len(self._answers) > 1 else self._answers[0]
        if isinstance(answer, HttpAnswer):
            return answer
        given = answer(request)
        return await given if inspect.isawaitable(given) else given


class HttpStubs:
    """The HTTP that the app's orchestrators see."""

    def __init__(self, log: CallLog, send: Send) -> None:
        """`send` makes a request to the app's own routes: method, path, body, headers."""
        self._log = log
        self._send = send
        self._caller = HttpCaller()
        self._routes: list[_Route] = []
        self._let_through: list[str] = []

    def answer(self, method: str, url: str, answer: HttpAnswer | Respond) -> None:
        for route in self._routes:
            if (route.method, route.url) == (method.upper(), url):
                route.add(answer)
                return
        route = _Route(method, url)
        route.add(answer)
        self._routes.insert(0, route)  # if two patterns match, the later one answers

    def let_through(self, prefix: str) -> None:
        self._let_through.append(prefix)

    async def run(self, activity: ActivityWork) -> str:
        """The answer as JSON text. Raises OSError where there is none, NotStubbed."""
        given = json.loads(activity.input)
        headers = given.get("headers") or {}
        resource = (given.get("tokenSource") or {}).get("resource")
        content = given.get("content")
        request = HttpRequest(given["method"].upper(), given["uri"], headers, content, resource)
        name = f"{request.method} {request.url}"
        with self._log.call("http", name, request, activity.instance_id) as call:
            text = await self._answer(request, activity)
            shown = json.loads(text)
            call.result = HttpAnswer(
                shown["statusCode"], text=shown["content"], headers=shown["headers"]
            )
            return text

    async def _answer(self, request: HttpRequest, activity: ActivityWork) -> str:
        for route in self._routes:
            if route.answers(request):
                answer = await route.answer(request)
                return _as_text(answer.status, answer.headers, answer.content)
        if request.url.startswith(f"{ORIGIN}/"):
            path = request.url.removeprefix(ORIGIN)
            own = await self._send(request.method, path, request.content, request.headers)
            return _as_text(own.status, own.headers, own.text)
        if any(request.url.startswith(prefix) for prefix in self._let_through):
            return await self._caller(activity.input)
        raise NotStubbed(
            f"'{activity.instance_id}' makes the HTTP call {request.method} {request.url}, and the"
            f' test gives no answer to it. Write hub.answer_http("{request.method}",'
            f' "{request.url}", json=...), or, for a server that the test has started,'
            " hub.let_http_through(url)."
        )

    async def close(self) -> None:
        await self._caller.close()


def _as_text(status: int, headers: Mapping[str, str], content: str) -> str:
    """An answer as the host gives it to the SDK."""
    visible = visible_headers(CIMultiDict(headers))
    return compact({"statusCode": status, "headers": visible, "content": content})
