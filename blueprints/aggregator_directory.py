"""The directory of vendors: which vendors have totals. An orchestrator cannot list entities.

The directory is split into pages by the hash of a vendor's name, so that no state gets too large.
"""

from hashlib import sha256
from typing import Final, TypedDict, cast

import azure.durable_functions as df

from activities import limits
from orchestration.failures import Failure

PAGES: Final = 16  # with another number, a vendor would be looked for on another page
MOST_VENDORS: Final = limits.DIRECTORY_PAGE.most  # on one page
LISTED: Final = 25  # vendors, in one answer

bp = df.Blueprint()


class Page(TypedDict):
    """What one page of the directory holds: names of vendors, in their order."""

    vendors: list[str]


class Listed(TypedDict):
    """Some vendors of a page, and whether more follow."""

    vendors: list[str]
    more: bool


@bp.entity_trigger(context_name="context")
def vendor_directory(context: df.DurableEntityContext) -> None:
    """Register a vendor, or list the vendors that follow a name."""
    page = cast(Page, {**new_page(), **context.get_state(new_page, expected_type=dict)})
    match context.operation_name:
        case "register":
            vendor = str(context.get_input(expected_type=str))
            page["vendors"] = sorted({*page["vendors"], vendor})
            context.set_state(page)
        case "list_after":
            after = str(context.get_input(expected_type=str))
            following = [vendor for vendor in page["vendors"] if vendor > after]
            listed = Listed(vendors=following[:LISTED], more=len(following) > LISTED)
            context.set_result(listed)
        case unknown:
            raise Failure("unknown_operation", f"a page has no operation {str(unknown)[:64]!r}")


def new_page() -> Page:
    return Page(vendors=[])


def page_id(page: int) -> df.EntityId:
    return df.EntityId("vendor_directory", str(page))


def page_of(vendor: str) -> int:
    return number_of(vendor) % PAGES


def number_of(text: str) -> int:
    """Return a number for a text. It is the same in each process, which `hash()` is not."""
    return int(sha256(text.encode()).hexdigest()[16:], 16)
