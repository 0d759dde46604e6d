"""The tax office: by what right it is asked.

A request of `call_http` stands in the history as it is sent, headers included. So the token of
TAX_TOKEN never leaves its activity: it buys tickets good for one request each. Where the office
knows the app's identity (TAX_RESOURCE), the host fetches a token by itself, and writes down none.
"""

import os
from typing import TypedDict

import azure.durable_functions as df

from activities.outside import address_of, ask
from activities.settings import secret_setting

bp = df.Blueprint()


class Applicant(TypedDict):
    """Whose number is asked about."""

    vat_id: str


class Access(TypedDict):
    """Where the office is, and what opens it: a resource for the host's token, or a ticket."""

    url: str
    resource: str | None
    ticket: str | None


@bp.activity_trigger(input_name="applicant")
async def obtain_tax_access(applicant: Applicant) -> Access:
    """Find out how to ask about a number. Run twice it buys a ticket that nobody will use."""
    access = Access(url=address_of("tax"), resource=None, ticket=None)
    if resource := os.environ.get("TAX_RESOURCE"):
        return {**access, "resource": resource}
    if token := secret_setting("TAX_TOKEN"):
        body = {"vat_id": applicant["vat_id"]}
        bought = await ask("tax", "POST", "/tickets", json=body, bearer=token)
        return {**access, "ticket": bought["ticket"]}
    return access
