"""Lists of instances in pages. The SDK's client returns the first page of a list only.

A function that lists instances takes the host's binding as text and makes its client of it:

    @bp.generic_input_binding(arg_name="starter", type="durableClient")
    async def list_operations(req: func.HttpRequest, starter: str) -> func.HttpResponse:
        client = ListingClient(starter)

To the host this is the same binding as that of `durable_client_input`.
"""

import base64
import json
from collections.abc import AsyncIterator
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Annotated, Final

import aiohttp
import azure.durable_functions as df
from pydantic import AfterValidator, AwareDatetime, BeforeValidator, Field

from http_api.bodies import Query
from http_api.instances import Instance, State
from http_api.problems import hub_unavailable

PAGE: Final = 100  # instances
PAGE_TOKEN_CHARS: Final = 2000
ID_CHARS: Final = 100

_TOKEN: Final = "x-ms-continuation-token"


def _in_utc(moment: datetime) -> datetime:
    try:
        return moment.astimezone(UTC)
    except OverflowError:
        raise ValueError("send a time of this era") from None


Moment = Annotated[AwareDatetime, AfterValidator(_in_utc)]


def _host_token(text: str) -> str:
    """The host's own token, from ours. It is sent in a header, so it must be printable."""
    try:
        token = base64.b64decode(text + "=" * (-len(text) % 4), altchars=b"-_", validate=True)
        if token.isascii() and token.decode().isprintable():
            return token.decode()
    except ValueError:
        pass
    raise ValueError("send the `next` of an answer as it is")


PageToken = Annotated[str, Field(max_length=PAGE_TOKEN_CHARS), AfterValidator(_host_token)]


class Paging(Query):
    """Which states, and which page."""

    status: Annotated[list[State], BeforeValidator(lambda text: text.split(","))] = []
    top: int = Field(50, ge=1, le=PAGE)
    after: PageToken = ""


class Listing(Paging):
    """Which operations to list."""

    prefix: str = Field("", pattern=r"^[A-Za-z0-9:._-]*$", max_length=ID_CHARS)
    created_from: Moment | None = Field(None, alias="from")
    created_to: Moment | None = Field(None, alias="to")

    def as_host_query(self) -> dict[str, str]:
        """The query of the host's own API, which ignores parameters that it cannot read."""
        query = {
            "top": str(self.top),
            "instanceIdPrefix": self.prefix,
            "createdTimeFrom": _utc(self.created_from),
            "createdTimeTo": _utc(self.created_to),
            "runtimeStatus": ",".join(self.status),
        }
        return {name: value for name, value in query.items() if value}


@dataclass(frozen=True)
class Page:
    """Some instances, in order of their ids, and the token for the next page."""

    instances: list[Instance]
    next_token: str  # the host's; empty on the last page

    @property
    def next(self) -> str | None:
        """What a caller sends as `after` for the next page.

        The host's token has spaces and characters with a meaning in a URL; ours has none.
        """
        coded = base64.urlsafe_b64encode(self.next_token.encode()).rstrip(b"=")
        return coded.decode() or None


class ListingClient(df.DurableOrchestrationClient):
    """The SDK's client, with lists of instances."""

    def __init__(self, starter: str) -> None:
        super().__init__(starter)
        # The host's own API on the loopback interface, which the SDK's client calls as well.
        self.instances_url: str = json.loads(starter)["rpcBaseUrl"] + "instances/"

    async def list_page(self, listing: Listing) -> Page:
        """Get a page from the host. Raises Problem 503.

        Entities are left out, so a page can have fewer instances than requested, or none.
        """
        query = listing.as_host_query()
        headers = {_TOKEN: listing.after} if listing.after else {}
        async with (
            aiohttp.ClientSession() as session,
            session.get(self.instances_url, params=query, headers=headers) as answer,
        ):
            if answer.status != 200:
                raise hub_unavailable()
            instances = [Instance.of_row(row) for row in await answer.json()]
            token = answer.headers.get(_TOKEN, "")
        return Page([instance for instance in instances if not instance.id.startswith("@")], token)

    async def every_instance(self, *states: State, prefix: str = "") -> AsyncIterator[Instance]:
        """Yield all instances in these states, page by page."""
        async for page in self.every_page(*states, prefix=prefix):
            for instance in page:
                yield instance

    async def every_page(
        self, *states: State, prefix: str = "", created_to: datetime | None = None
    ) -> AsyncIterator[list[Instance]]:
        """Yield all instances in pages. Deleting instances between two pages skips none."""
        listing = Listing.model_validate(
            {
                "status": ",".join(states),
                "prefix": prefix,
                "to": created_to,
                "top": PAGE,
            }
        )
        while True:
            page = await self.list_page(listing)
            yield page.instances
            if not page.next_token:
                return
            listing = listing.model_copy(update={"after": page.next_token})


def _utc(moment: datetime | None) -> str:
    return moment.replace(tzinfo=None).isoformat() + "Z" if moment else ""
