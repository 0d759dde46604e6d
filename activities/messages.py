"""Messages to people, by mail."""

from typing import Final, TypedDict

import azure.durable_functions as df

from activities.outside import ask

PAYABLES: Final = "payables@example.com"  # who brings to an end what the app cannot

bp = df.Blueprint()


class Message(TypedDict):
    """A mail, and the key that makes it one mail."""

    to: str
    subject: str
    text: str
    key: str


@bp.activity_trigger(input_name="message")
async def send_message(message: Message) -> str:
    """Send a mail and return its id; the mail server sends one a key, so twice is once."""
    content = {name: message[name] for name in ("to", "subject", "text")}
    sent = await ask("mail", "POST", "/messages", json=content, key=message["key"])
    return str(sent["id"])
