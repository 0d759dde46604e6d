"""Decision tokens: a token lets its holder decide in one role on one operation, until it expires.

A token is `<role>.<expires>.<signature>`, signed with the setting DECISION_KEY. The activity that
sends the mail makes it and the route checks it. No orchestrator sees a token, so no history has
one. The token does not say whether it was used: the operation keeps who has decided.

The key can be rotated: tokens that DECISION_KEY_BEFORE has signed stay valid.
"""

import base64
import hmac
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Final

from activities.settings import secret_setting
from orchestration.failures import Failure

_SHORTEST_KEY: Final = 32
_TIME: Final = "%Y-%m-%dT%H:%M:%SZ"


@dataclass(frozen=True)
class DecisionGrant:
    """What a token allows its holder: to decide on this operation, in this role."""

    operation: str
    role: str
    expires: str


def make_token(grant: DecisionGrant) -> str:
    """Return the token of a grant, the same one each time. Raises Failure `not_configured`."""
    return f"{grant.role}.{grant.expires}.{_signature(grant, require_key())}"


def check_token(token: str, operation: str, now: datetime) -> DecisionGrant:
    """Return what a token allows on this operation.

    Raises Failure `token_invalid` if it was not made for this operation, or `token_expired`.
    """
    role, _, rest = token.partition(".")
    expires, _, signature = rest.partition(".")
    grant = DecisionGrant(operation, role, expires)
    # Compared in constant time: the duration must not show how many characters were right.
    if not any(
        hmac.compare_digest(signature.encode(), _signature(grant, key).encode())
        for key in (require_key(), *_key_before())
    ):
        advice = "use the link in the message that was sent to you"
        raise Failure("token_invalid", f"the token is not valid for {operation}: {advice}")
    if now >= datetime.strptime(expires, _TIME).replace(tzinfo=UTC):
        raise Failure("token_expired", f"the token expired at {expires}: it is too late to decide")
    return grant


def require_key() -> bytes:
    """Return the key that signs tokens. Raises Failure `not_configured`."""
    key = secret_setting("DECISION_KEY")
    if len(key) < _SHORTEST_KEY:
        advice = f"set it to {_SHORTEST_KEY} random characters or more"
        raise Failure("not_configured", f"the setting DECISION_KEY is missing or short: {advice}")
    return key.encode()


def _key_before() -> list[bytes]:
    """Return the key that signed tokens before the last rotation, if there is one."""
    key = secret_setting("DECISION_KEY_BEFORE")
    return [key.encode()] if len(key) >= _SHORTEST_KEY else []


def _signature(grant: DecisionGrant, key: bytes) -> str:
    signed = "\n".join(("decision", grant.operation, grant.role, grant.expires))
    digest = hmac.digest(key, signed.encode(), "sha256")
    return base64.urlsafe_b64encode(digest).rstrip(b"=").decode()
