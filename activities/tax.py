"""Access to the tax office.

The history contains each request of `call_http` with its headers. So TAX_TOKEN never leaves its
activity: it buys tickets, each of which is good for one request. If the office accepts the identity
of the app (TAX_RESOURCE), the host gets a token itself and does not store it.
"""

import os
from typing import TypedDict

import azure.durable_functions as df

from activities.outside import address_of, ask
from activities.settings import secret_setting

bp = df.Blueprint()


class Applicant(TypedDict):
    """The owner of the number."""

    vat_id: str


class Access(TypedDict):
    """The address, and what grants access: a resource for the host's token, or a ticket."""

    url: str
    resource: str | None
    ticket: str | None


@bp.activity_trigger(input_name="applicant")
async def obtain_tax_access(applicant: Applicant) -> Access:
    """Get access for one request. If it runs twice, one ticket stays unused."""
    access = Access(url=address_of("tax"), resource=None, ticket=None)
    if resource := os.environ.get("TAX_RESOURCE"):
        return {**access, "resource": resource}
    if token := secret_setting("TAX_TOKEN"):
        body = {"vat_id": applicant["vat_id"]}
        bought = await ask("tax", "POST", "/tickets", json=body, bearer=token)
        return {**access, "ticket": bought["ticket"]}
    return access
