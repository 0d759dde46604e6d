"""Transfers at the bank, which take a while to settle."""

from typing import Literal, TypedDict
from urllib.parse import quote

import azure.durable_functions as df

from activities.outside import ask

bp = df.Blueprint()


class Look(TypedDict):
    """Which transfer to look at."""

    transfer: str


class Transfer(TypedDict):
    """A transfer as it stands; `reason` says why it failed."""

    status: Literal["pending", "settled", "failed"]
    reason: str | None


@bp.activity_trigger(input_name="look")
async def look_at_transfer(look: Look) -> Transfer:
    """Return how a transfer stands at the bank. Only looks, so may run twice."""
    found = await ask("bank", "GET", f"/transfers/{quote(look['transfer'], safe='')}")
    return Transfer(status=found["status"], reason=found["reason"])
