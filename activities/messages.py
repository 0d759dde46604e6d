"""Messages to people, by mail."""

import os
from typing import Final, TypedDict

import azure.durable_functions as df

from activities.outside import ask
from orchestration.failures import Failure

# The people who finish what the app cannot. The setting PAYABLES replaces this address.
PAYABLES: Final = "payables@example.com"

# What the mail server answers if it has sent another mail with this key.
KEY_REUSED: Final = "idempotency_key_reused"

bp = df.Blueprint()


class Message(TypedDict):
    """A mail, and its idempotency key."""

    to: str
    subject: str
    text: str
    key: str


def failure_message(operation: str, failure: Failure, key: str) -> Message:
    """Return the mail to accounts payable about an operation that has failed."""
    return Message(
        to=PAYABLES,
        subject=f"{operation} has failed"[:200],
        text=f"{failure.message}.\n\nGET /api/operations/{operation} shows more.\n"
        f"POST /api/operations/{operation}/retry starts it again, once the cause is removed.\n",
        key=key,
    )


@bp.activity_trigger(input_name="message")
async def send_message(message: Message) -> str:
    """Send a mail and return its id. The mail server sends one mail per key, so it may run twice.

    If a deployment changed the text between two attempts, the mail server refuses the second one.
    The first mail counts then, and the result is its key.
    """
    to = os.environ.get("PAYABLES") or PAYABLES if message["to"] == PAYABLES else message["to"]
    content = {"to": to, "subject": message["subject"], "text": message["text"]}
    try:
        sent = await ask("mail", "POST", "/messages", json=content, key=message["key"])
    except Failure as failure:
        if failure.code != KEY_REUSED:
            raise
        return message["key"]
    return str(sent["id"])
