"""What azd runs beside Bicep: `python -m deployment.hooks keys`, later `… connect`.

azd passes the outputs of infra/main.bicep as environment variables. Both commands can be repeated:
a key that exists stays as it is, because a new one would void the links in mails that were sent.
A person runs `… rotate` to replace the key of links; links that were sent before stay valid.
This module needs nothing but Python and the Azure CLI.
"""

import argparse
import os
import secrets
import sys
import time
from collections.abc import Callable
from functools import partial
from typing import Any, Final, TypeVar

from deployment.azure_cli import AzureFailed, Secret, az

# Both are in the settings of the app as references to the vault: see infra/function_app.bicep.
KEYS: Final = ("decision-key", "decision-key-before", "link-key")
# The functions that links in mails lead to. The key in links opens these and no others.
LINKED: Final = (
    "show_approval_request",
    "send_approval_decision",
    "show_document_review",
    "send_document_decision",
    "download_document",
)
SCANS_FUNCTION: Final = "start_document_intake_from_blob"
SUBSCRIPTION: Final = "scans"
_REFRESH: Final = (
    "/subscriptions/{{subscriptionId}}/resourceGroups/{group}/providers/Microsoft.Web/sites/{app}"
    "/config/configreferences/appsettings/refresh?api-version=2022-03-01"
)

Result = TypeVar("Result")


def output(name: str) -> str:
    """An output of infra/main.bicep. Raises AzureFailed where azd does not pass it."""
    if value := os.environ.get(name):
        return value
    raise AzureFailed(f"{name} is not set: run this as a hook of azd, or `azd hooks run`")


def patiently(work: Callable[[], Result], attempts: int, pause: float) -> Result:
    """Try again where Azure is not ready: a role takes minutes to arrive, an app to start."""
    for attempt in range(1, attempts):
        try:
            return work()
        except AzureFailed as failure:
            print(f"not yet ({attempt} of {attempts}): {failure}", flush=True)
            time.sleep(pause)
    return work()


def create_keys(attempts: int, pause: float) -> None:
    """Create each key that the vault does not have, and have the app read the vault."""
    vault = output("AZURE_KEY_VAULT")
    listing = ("keyvault", "secret", "list", "--vault-name", vault, "--query", "[].name")
    existing = patiently(partial(az, *listing), attempts, pause)
    for name in KEYS:
        if name in existing:
            print(f"{name} exists in {vault} and stays as it is")
            continue
        _set_key(vault, name, Secret(secrets.token_urlsafe(48)))
        print(f"created {name} in {vault}")
    _have_the_app_read_the_vault()


def rotate(attempts: int, pause: float) -> None:
    """Sign links with a new key. Links that were signed with the key until now stay valid."""
    vault = output("AZURE_KEY_VAULT")
    where = ("--vault-name", vault, "--name", "decision-key", "--query", "value")
    until_now = Secret(
        patiently(partial(az, "keyvault", "secret", "show", *where), attempts, pause)
    )
    _set_key(vault, "decision-key-before", until_now)
    _set_key(vault, "decision-key", Secret(secrets.token_urlsafe(48)))
    print(f"{vault} has a new decision-key, and the one until now as decision-key-before")
    _have_the_app_read_the_vault()


def _set_key(vault: str, name: str, value: Secret) -> None:
    az("keyvault", "secret", "set", "--vault-name", vault, "--name", name, "--value", value)


def _have_the_app_read_the_vault() -> None:
    """Otherwise the app has what it read before the keys changed, for up to a day."""
    place = _REFRESH.format(group=output("AZURE_RESOURCE_GROUP"), app=output("AZURE_FUNCTION_APP"))
    az("rest", "--method", "post", "--url", place)


def connect(attempts: int, pause: float) -> None:
    """Let links in mails in, and have Event Grid report new scans to the app."""
    group, app = output("AZURE_RESOURCE_GROUP"), output("AZURE_FUNCTION_APP")
    where = ("--resource-group", group, "--name", app)
    vault = ("--vault-name", output("AZURE_KEY_VAULT"), "--name", "link-key", "--query", "value")
    key = Secret(az("keyvault", "secret", "show", *vault))
    for function in LINKED:
        named = ("--function-name", function, "--key-name", "links", "--key-value", key)
        setting = partial(az, "functionapp", "function", "keys", "set", *where, *named)
        patiently(setting, attempts, pause)
    print(f"the key in links opens {', '.join(LINKED)}")

    def blobs_key() -> str:
        query = ("--query", "systemKeys.blobs_extension")
        found: Any = az("functionapp", "keys", "list", *where, *query)
        if not found:
            raise AzureFailed(f"{app} has no key blobs_extension: it has not started yet")
        return str(found)

    webhook = f"{output('AZURE_FUNCTION_APP_URL')}/runtime/webhooks/blobs"
    code = patiently(blobs_key, attempts, pause)
    endpoint = Secret(f"{webhook}?functionName=Host.Functions.{SCANS_FUNCTION}&code={code}")
    topic = ("--resource-group", group, "--system-topic-name", output("AZURE_SYSTEM_TOPIC"))
    named = ("--name", SUBSCRIPTION, "--endpoint-type", "webhook", "--endpoint", endpoint)
    chosen = (
        "--included-event-types",
        "Microsoft.Storage.BlobCreated",
        "--subject-begins-with",
        "/blobServices/default/containers/scans/",
    )
    create = ("eventgrid", "system-topic", "event-subscription", "create")
    patiently(partial(az, *create, *topic, *named, *chosen), attempts, pause)
    print(f"Event Grid reports blobs in scans to {SCANS_FUNCTION}")


def main(arguments: list[str]) -> int:
    commands = {"keys": create_keys, "connect": connect, "rotate": rotate}
    parser = argparse.ArgumentParser(prog="python -m deployment.hooks", description=__doc__)
    parser.add_argument("command", choices=commands)
    parser.add_argument("--attempts", type=int, default=20, help="at what is not ready yet")
    parser.add_argument("--pause", type=float, default=15.0, metavar="SECONDS")
    chosen = parser.parse_args(arguments)
    try:
        commands[chosen.command](chosen.attempts, chosen.pause)
    except AzureFailed as failure:
        print(failure, file=sys.stderr)
        return 1
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
