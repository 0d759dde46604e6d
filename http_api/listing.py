"""Lists of instances in pages, which the SDK's client cannot give: it knows the first page only."""

import base64
from collections.abc import AsyncIterator
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Annotated, Final

import azure.durable_functions as df
from azure.durable_functions.models.DurableOrchestrationStatus import DurableOrchestrationStatus
from azure.durable_functions.models.utils import http_utils
from pydantic import AfterValidator, AwareDatetime, BeforeValidator, Field

from http_api.bodies import Query
from http_api.instances import Instance, State
from http_api.problems import hub_unavailable
from orchestration import limits

_TOKEN: Final = "x-ms-continuation-token"


def _in_utc(moment: datetime) -> datetime:
    try:
        return moment.astimezone(UTC)
    except OverflowError:
        raise ValueError("send a time of this era") from None


Moment = Annotated[AwareDatetime, AfterValidator(_in_utc)]


def _host_token(text: str) -> str:
    """The host's own token in one of ours; it goes into a header, so nothing ends a line."""
    try:
        token = base64.b64decode(text + "=" * (-len(text) % 4), altchars=b"-_", validate=True)
        if token.isascii() and token.decode().isprintable():
            return token.decode()
    except ValueError:
        pass
    raise ValueError("send the `next` of an answer as it is")


PageToken = Annotated[
    str, Field(max_length=limits.PAGE_TOKEN_CHARS.most), AfterValidator(_host_token)
]


class Paging(Query):
    """In which states, and which page of them."""

    status: Annotated[list[State], BeforeValidator(lambda text: text.split(","))] = []
    top: int = Field(50, ge=1, le=limits.PAGE.most)
    after: PageToken = ""


class Listing(Paging):
    """Which operations to list."""

    prefix: str = Field("", pattern=r"^[A-Za-z0-9:._-]*$", max_length=limits.ID_PREFIX_CHARS.most)
    created_from: Moment | None = Field(None, alias="from")
    created_to: Moment | None = Field(None, alias="to")

    def as_host_query(self) -> dict[str, str]:
        """The query of the host's own API, which ignores what it cannot read."""
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
    """Some instances, in order of their ids, and what to ask for the next ones with."""

    instances: list[Instance]
    next_token: str  # the host's; empty on the last page

    @property
    def next(self) -> str | None:
        """What a caller sends as `after`.

        The host's token has blanks and signs that mean something in an address: ours has none.
        """
        coded = base64.urlsafe_b64encode(self.next_token.encode()).rstrip(b"=")
        return coded.decode() or None


async def list_page(client: df.DurableOrchestrationClient, listing: Listing) -> Page:
    """Ask the host for a page. Raises Problem 503.

    Entities are left out, so a page may hold fewer instances than asked for, or none.
    """
    # The client's own address and session, which have no public names.
    url = f"{client._orchestration_bindings.rpc_base_url}instances/"
    session = await http_utils._get_session()
    headers = {_TOKEN: listing.after} if listing.after else {}
    async with session.get(url, params=listing.as_host_query(), headers=headers) as answer:
        if answer.status != 200:
            raise hub_unavailable()
        statuses = map(DurableOrchestrationStatus.from_json, await answer.json())
        instances = [Instance.of(status) for status in statuses]
        token = answer.headers.get(_TOKEN, "")
    return Page([instance for instance in instances if not instance.id.startswith("@")], token)


async def every_instance(
    client: df.DurableOrchestrationClient, *states: State, prefix: str = ""
) -> AsyncIterator[Instance]:
    """All instances in these states, page by page, however many they are."""
    async for page in every_page(client, *states, prefix=prefix):
        for instance in page:
            yield instance


async def every_page(
    client: df.DurableOrchestrationClient,
    *states: State,
    prefix: str = "",
    created_to: datetime | None = None,
) -> AsyncIterator[list[Instance]]:
    """As `every_instance`, a page at a time; what is deleted on the way does not hide others."""
    listing = Listing.model_validate(
        {"status": ",".join(states), "prefix": prefix, "to": created_to, "top": limits.PAGE.most}
    )
    while True:
        page = await list_page(client, listing)
        yield page.instances
        if not page.next_token:
            return
        listing = listing.model_copy(update={"after": page.next_token})


def _utc(moment: datetime | None) -> str:
    return moment.replace(tzinfo=None).isoformat() + "Z" if moment else ""
