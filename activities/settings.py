"""Settings of the app. Starters and activities read them; orchestrators must not."""

import os

from orchestration.failures import Failure


def number_setting(name: str, usually: int, most: int) -> int:
    """Return the number in a setting, at most `most`. Raises Failure `not_configured`."""
    text = os.environ.get(name) or str(usually)
    if not text.isascii() or not text.isdigit() or int(text[:18]) < 1:
        advice = f"set it to a number from 1 to {most}"
        raise Failure("not_configured", f"the setting {name} is {text[:64]!r}: {advice}")
    return min(int(text[:18]), most)


def flag_setting(name: str) -> bool:
    """Return whether a setting is `true`; a missing one is not. Raises Failure `not_configured`."""
    text = os.environ.get(name) or "false"
    if text.lower() not in ("true", "false"):
        advice = "set it to true or false"
        raise Failure("not_configured", f"the setting {name} is {text[:64]!r}: {advice}")
    return text.lower() == "true"


def secret_setting(name: str) -> str:
    """Return the text of a setting, empty if it is missing. Raises Failure `not_configured`.

    If Azure cannot read a secret from a vault, the setting contains the reference to it, which is
    not secret.
    """
    text = os.environ.get(name, "")
    if text.startswith("@Microsoft.KeyVault("):
        advice = "check that the secret exists and that the app's identity may read it"
        raise Failure("not_configured", f"the setting {name} is an unread secret: {advice}")
    return text
