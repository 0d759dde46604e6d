"""Decision tokens: whoever has one may decide in one role on one approval, until it expires.

A token is `<role>.<expires>.<signature>`, signed with the setting DECISION_KEY. It is made where it
is sent and checked where it comes back; it is in no history, as orchestrators never see it. That
it works once is not in the token: the approval keeps who has decided.
"""

import base64
import hmac
import os
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Final

from orchestration.failures import Failure

_SHORTEST_KEY: Final = 32
_TIME: Final = "%Y-%m-%dT%H:%M:%SZ"


@dataclass(frozen=True)
class Seat:
    """What a token gives its holder."""

    approval: str
    role: str
    expires: str


def make_token(seat: Seat) -> str:
    """The token of a seat, the same each time. Raises Failure `not_configured`."""
    return f"{seat.role}.{seat.expires}.{_signature(seat)}"


def check_token(token: str, approval: str, now: datetime) -> Seat:
    """The seat that a token gives on this approval.

    Raises Failure: `token_invalid` for whatever was not made for this approval, `token_expired`.
    """
    role, _, rest = token.partition(".")
    expires, _, signature = rest.partition(".")
    seat = Seat(approval, role, expires)
    # Compared in constant time: the time an answer takes must not tell how much of it was right.
    if not hmac.compare_digest(signature.encode(), _signature(seat).encode()):
        advice = "use the link in the message that was sent to you"
        raise Failure("token_invalid", f"the token is none for {approval}: {advice}")
    if now >= datetime.strptime(expires, _TIME).replace(tzinfo=UTC):
        raise Failure("token_expired", f"the token was good until {expires}: it is too late")
    return seat


def require_key() -> bytes:
    """The key that tokens are signed with. Raises Failure `not_configured`."""
    key = os.environ.get("DECISION_KEY", "")
    if len(key) < _SHORTEST_KEY:
        advice = f"set it to {_SHORTEST_KEY} random characters or more"
        raise Failure("not_configured", f"the setting DECISION_KEY is missing or short: {advice}")
    return key.encode()


def _signature(seat: Seat) -> str:
    signed = "\n".join(("decision", seat.approval, seat.role, seat.expires))
    digest = hmac.digest(require_key(), signed.encode(), "sha256")
    return base64.urlsafe_b64encode(digest).rstrip(b"=").decode()
