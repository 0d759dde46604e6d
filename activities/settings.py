"""Settings of the app. Starters and activities read them, orchestrators never do."""

import os

from orchestration.failures import Failure


def number_setting(name: str, usually: int, most: int) -> int:
    """The number from 1 in a setting, capped. Raises Failure `not_configured` where it is none."""
    text = os.environ.get(name) or str(usually)
    if not text.isascii() or not text.isdigit() or int(text[:18]) < 1:
        advice = f"set it to a number from 1 to {most}"
        raise Failure("not_configured", f"the setting {name} is {text[:64]!r}: {advice}")
    return min(int(text[:18]), most)


def flag_setting(name: str) -> bool:
    """Whether a setting is `true`; not where it is missing. Raises Failure `not_configured`."""
    text = os.environ.get(name) or "false"
    if text.lower() not in ("true", "false"):
        advice = "set it to true or false"
        raise Failure("not_configured", f"the setting {name} is {text[:64]!r}: {advice}")
    return text.lower() == "true"


def secret_setting(name: str) -> str:
    """The text of a setting; empty where it is missing. Raises Failure `not_configured`.

    Where Azure cannot read a secret from a vault, the setting holds the reference to it: a text
    that anybody may know.
    """
    text = os.environ.get(name, "")
    if text.startswith("@Microsoft.KeyVault("):
        advice = "see that the secret exists and that the app's identity may read it"
        raise Failure("not_configured", f"the setting {name} is an unread secret: {advice}")
    return text
