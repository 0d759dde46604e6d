"""Bank transfers, which take some time to settle."""

from typing import Literal, TypedDict
from urllib.parse import quote

import azure.durable_functions as df

from activities.outside import ask

bp = df.Blueprint()


class Look(TypedDict):
    """The transfer to look at."""

    transfer: str


class Transfer(TypedDict):
    """The state of a transfer; `reason` says why it failed."""

    status: Literal["pending", "settled", "failed"]
    reason: str | None


@bp.activity_trigger(input_name="look")
async def look_at_transfer(look: Look) -> Transfer:
    """Return the state of a transfer. Reads only, so it may run twice."""
    found = await ask("bank", "GET", f"/transfers/{quote(look['transfer'], safe='')}")
    return Transfer(status=found["status"], reason=found["reason"])
