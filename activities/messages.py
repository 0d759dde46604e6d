"""Messages to people, by mail."""

from typing import Final, TypedDict

import azure.durable_functions as df

from activities.outside import ask
from orchestration.failures import Failure

PAYABLES: Final = "payables@example.com"  # the people who finish what the app cannot

# What the mail server answers if it has sent another mail with this key.
KEY_REUSED: Final = "idempotency_key_reused"

bp = df.Blueprint()


class Message(TypedDict):
    """A mail, and its idempotency key."""

    to: str
    subject: str
    text: str
    key: str


@bp.activity_trigger(input_name="message")
async def send_message(message: Message) -> str:
    """Send a mail and return its id. The mail server sends one mail per key, so it may run twice.

    If a deployment changed the text between two attempts, the mail server refuses the second one.
    The first mail counts then, and the result is its key.
    """
    content = {name: message[name] for name in ("to", "subject", "text")}
    try:
        sent = await ask("mail", "POST", "/messages", json=content, key=message["key"])
    except Failure as failure:
        if failure.code != KEY_REUSED:
            raise
        return message["key"]
    return str(sent["id"])
