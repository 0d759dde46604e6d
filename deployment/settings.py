"""`python dev.py settings NAME --resource-group GROUP`: which settings a function app still lacks.

Without NAME it lists what every app needs. With --apply it sets what is missing and has one right
value, and what --set and --sandbox say. It never replaces a DECISION_KEY, which would void links.
"""

import argparse
import json
import secrets
import sys
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from deployment.azure_cli import AzureFailed, Secret, az

ROOT: Final = Path(__file__).resolve().parents[1]
PARTIES: Final = ("bank", "reader", "tax", "rates", "centralbank", "mail", "orders", "postings")
STORAGE: Final = "AzureWebJobsStorage"
HUB_NAME: Final = "AzureFunctionsJobHost__extensions__durableTask__hubName"
SCHEDULER: Final = "DURABLE_TASK_SCHEDULER_CONNECTION_STRING"


@dataclass(frozen=True)
class Setting:
    """A setting, what it has to be, and what follows where it is missing."""

    name: str
    what: str
    value: str = ""  # the one that is right for every app
    advised: bool = False  # the app works without it, but not as most people want


SETTINGS: Final = (
    *(
        Setting(f"{party.upper()}_URL", f"the address of the {party}; /{party} of a sandbox")
        for party in PARTIES
    ),
    Setting("DECISION_KEY", "at least 32 random characters, best by a reference to a key vault"),
    Setting("VENDOR_EVENTS_QUEUE", "the name of the queue of events", "vendor-events"),
    Setting("RETENTION_SCHEDULE", "when old instances are deleted, in NCRONTAB", "0 30 3 * * *"),
    Setting(
        "SCANS_BY_EVENT_GRID",
        "true on Flex Consumption, where no blob trigger polls",
        "true",
        advised=True,
    ),
    Setting(
        "LINK_KEY",
        "the function key in mails; without it their links need a gateway that adds one",
        advised=True,
    ),
    Setting(
        "DECISION_KEY_BEFORE",
        "the DECISION_KEY until the last rotation, which keeps older links valid",
        advised=True,
    ),
    Setting(
        "PYTHON_APPLICATIONINSIGHTS_ENABLE_TELEMETRY",
        "true, so that calls of other systems go on with the trace of the request",
        "true",
        advised=True,
    ),
    Setting("APPLICATIONINSIGHTS_CONNECTION_STRING", "where logs go", advised=True),
    Setting(
        "APPLICATIONINSIGHTS_AUTHENTICATION_STRING",
        "Authorization=AAD, where Application Insights takes no keys",
        advised=True,
    ),
)


def missing(settings: Mapping[str, str]) -> list[Setting]:
    """The settings that an app with these settings lacks."""
    here = {name.lower() for name, value in settings.items() if value}
    lacking = [setting for setting in SETTINGS if setting.name.lower() not in here]
    return [*_missing_storage(here), *_missing_scheduler(here), *lacking]


def _missing_storage(here: set[str]) -> list[Setting]:
    """What names the storage account: a connection string, its name, or three addresses."""

    def has(name: str) -> bool:
        return f"{STORAGE}__{name}".lower() in here

    if STORAGE.lower() in here:
        return []
    lacking = []
    if not has("accountName"):
        lacking = [
            Setting(
                f"{STORAGE}__{service}ServiceUri", f"https://ACCOUNT.{service}.core.windows.net"
            )
            for service in ("blob", "queue", "table")
            if not has(f"{service}ServiceUri")
        ]
    # A system-assigned identity needs neither.
    if has("clientId") != has("credential"):
        if has("clientId"):
            lacking.append(Setting(f"{STORAGE}__credential", "managedidentity", "managedidentity"))
        else:
            lacking.append(Setting(f"{STORAGE}__clientId", "the identity's client id"))
    return lacking


def _missing_scheduler(here: set[str]) -> list[Setting]:
    host = json.loads((ROOT / "host.json").read_text("utf-8"))
    provider = host["extensions"]["durableTask"].get("storageProvider", {})
    if provider.get("type") != "azureManaged" or SCHEDULER.lower() in here:
        return []
    return [Setting(SCHEDULER, "Endpoint=…;Authentication=ManagedIdentity;ClientID=…")]


def warnings(settings: Mapping[str, str]) -> list[str]:
    """What is set and does harm."""
    said = []
    if settings.get(STORAGE) and any(name.startswith(f"{STORAGE}__") for name in settings):
        said.append(f"{STORAGE} holds a key and wins over {STORAGE}__…: remove it")
    if HUB_NAME in settings:
        said.append(
            f"{HUB_NAME} keeps Consumption, Flex Consumption and Premium from scaling out: "
            "name the hub in host.json (docs/deploying.md)"
        )
    for name, value in settings.items():
        if name.endswith("_URL") and not value.startswith(("https://", "@Microsoft.KeyVault(")):
            said.append(f"{name} does not begin with https://")
    return said


def additions(lacking: list[Setting], chosen: argparse.Namespace) -> dict[str, str]:
    """What --apply sets: what was given, and of what is missing all with one right value."""
    given = dict(pair.split("=", 1) for pair in chosen.set)
    if chosen.sandbox:
        address = chosen.sandbox.rstrip("/")
        given = {f"{party.upper()}_URL": f"{address}/{party}" for party in PARTIES} | given
    known = {setting.name: setting.value for setting in lacking if setting.value}
    if any(setting.name == "DECISION_KEY" for setting in lacking):
        known["DECISION_KEY"] = secrets.token_urlsafe(48)
    return known | given


def main(arguments: list[str]) -> int:
    parser = argparse.ArgumentParser(prog="dev.py settings", description=__doc__)
    parser.add_argument("name", nargs="?", help="the function app")
    parser.add_argument("--resource-group", "-g", default="")
    parser.add_argument("--slot", default="")
    parser.add_argument("--apply", action="store_true", help="set what is missing")
    parser.add_argument("--sandbox", default="", metavar="URL", help="sets the URLs of all parties")
    parser.add_argument("--set", nargs="+", action="extend", default=[], metavar="NAME=VALUE")
    chosen = parser.parse_args(arguments)
    if wrong := [pair for pair in chosen.set if "=" not in pair]:
        parser.error(f"--set {wrong[0]}: write NAME=VALUE")
    if not chosen.name:
        _show(missing({}), set())
        return 0
    if not chosen.resource_group:
        parser.error("name the resource group: --resource-group GROUP")
    try:
        return _check(chosen)
    except AzureFailed as failure:
        print(failure, file=sys.stderr)
        return 1


def _check(chosen: argparse.Namespace) -> int:
    where = ["--name", chosen.name, "--resource-group", chosen.resource_group]
    where += ["--slot", chosen.slot] if chosen.slot else []
    listed = az("functionapp", "config", "appsettings", "list", *where)
    settings = {str(each["name"]): str(each["value"] or "") for each in listed}
    lacking = missing(settings)
    if chosen.apply:
        added = additions(lacking, chosen)
        if added:
            values = Secret(json.dumps(added))
            az("functionapp", "config", "appsettings", "set", *where, "--settings", values)
            print(f"set {', '.join(added)}")
        settings |= added
        lacking = missing(settings)
    _show(lacking, settings.keys() & {setting.name for setting in SETTINGS})
    for warning in warnings(settings):
        print(f"warning  {warning}")
    needed = [setting for setting in lacking if not setting.advised]
    print(f"{len(needed)} missing" if needed else "nothing that the app needs is missing")
    return 1 if needed else 0


def _show(lacking: list[Setting], there: set[str]) -> None:
    width = max((len(setting.name) for setting in lacking), default=0)
    for name in sorted(there):
        print(f"set      {name}")
    for setting in lacking:
        state = "advised" if setting.advised else "missing"
        print(f"{state}  {setting.name:{width}}  {setting.what}")


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
