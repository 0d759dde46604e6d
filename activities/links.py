"""Links in mails. A link contains the token for one decision, and the function key of its routes.

Every route asks for a function key. The key in links opens only the routes that links lead to:
whoever reads a mail must not be able to start payments.
"""

import os
from urllib.parse import quote

from activities.decision_tokens import DecisionGrant, make_token
from activities.settings import secret_setting


def link_to(route: str, grant: DecisionGrant) -> str:
    """Return the URL of a route, with the token for this grant.

    It contains the key in the setting LINK_KEY. The setting is missing where no key is needed: on a
    developer's machine, or where a gateway adds the key.
    """
    key = secret_setting("LINK_KEY")
    code = f"&code={quote(key, safe='')}" if key else ""
    path = route.replace("{id}", quote(grant.operation, safe=":"))
    return f"{_public_url()}/api/{path}?token={make_token(grant)}{code}"


def _public_url() -> str:
    """Return the address of this app: the setting PUBLIC_URL, or else the name of the host."""
    if address := os.environ.get("PUBLIC_URL"):
        return address.rstrip("/")
    name = os.environ.get("WEBSITE_HOSTNAME", "localhost:7071")
    is_here = name.split(":")[0] in ("localhost", "127.0.0.1")
    return f"{'http' if is_here else 'https'}://{name}"
