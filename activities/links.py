"""Links in mails: the token that says what its holder may do, and the key that lets them in.

Every route asks for a function key. The one in links opens the routes that links lead to, and no
other: whoever reads a mail must not be able to start payments.
"""

import os
from urllib.parse import quote

from activities.decision_tokens import Seat, make_token


def link_to(route: str, seat: Seat) -> str:
    """The address of a route that takes a token, for what the seat is on.

    It has the key in the setting LINK_KEY, which is missing where nobody asks for one: on a
    developer's machine, or where a gateway adds the key.
    """
    key = os.environ.get("LINK_KEY", "")
    code = f"&code={quote(key, safe='')}" if key else ""
    path = route.replace("{id}", quote(seat.approval, safe=":"))
    return f"{_public_url()}/api/{path}?token={make_token(seat)}{code}"


def _public_url() -> str:
    """Where people reach this app; the setting PUBLIC_URL, or what the host says of itself."""
    if address := os.environ.get("PUBLIC_URL"):
        return address.rstrip("/")
    name = os.environ.get("WEBSITE_HOSTNAME", "localhost:7071")
    is_here = name.split(":")[0] in ("localhost", "127.0.0.1")
    return f"{'http' if is_here else 'https'}://{name}"
