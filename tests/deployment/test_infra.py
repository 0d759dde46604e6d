"""What a deployment would create, by the snapshots that `make check` compares with infra/."""

import json
import re
from functools import cache
from pathlib import Path
from typing import Any

import pytest

from tests.source import ROOT
from tests.test_settings import documented, read_by_the_app

SNAPSHOTS = sorted((ROOT / "infra" / "snapshots").glob("*.snapshot.json"))

# Settings that the platform or the extension reads, and the app does not.
OF_THE_PLATFORM = {
    "APPLICATIONINSIGHTS_AUTHENTICATION_STRING",
    "APPLICATIONINSIGHTS_CONNECTION_STRING",
    "AzureWebJobsStorage__credential",
    "AzureWebJobsStorage__queueServiceUri",
    "AzureWebJobsStorage__tableServiceUri",
    "DURABLE_TASK_SCHEDULER_CONNECTION_STRING",
    "PYTHON_APPLICATIONINSIGHTS_ENABLE_TELEMETRY",
}
# Ways to name a storage account, of which the deployment takes one; and what the plan knows.
IN_OTHER_PLACES = {"AzureWebJobsStorage", "AzureWebJobsStorage__accountName"}
BY_ITSELF = {"FUNCTIONS_WORKER_RUNTIME", "WEBSITE_HOSTNAME"}


@cache
def resources(snapshot: Path) -> list[dict[str, Any]]:
    found: list[dict[str, Any]] = json.loads(snapshot.read_text("utf-8"))["predictedResources"]
    return found


SETTINGS_TYPE = "Microsoft.Web/sites/config"


def of_type(snapshot: Path, kind: str) -> list[dict[str, Any]]:
    return [each for each in resources(snapshot) if each["type"] == kind]


def deployed_settings() -> set[str]:
    """The names of the settings in infra/function_app.bicep."""
    text = (ROOT / "infra" / "function_app.bicep").read_text("utf-8")
    blocks = re.findall(r"^var \w+Settings = (.*?)^ *\}$", text, re.MULTILINE | re.DOTALL)
    return {name for block in blocks for name in re.findall(r"^ +(\w+): ", block, re.MULTILINE)}


def test_the_app_reads_every_setting_that_is_deployed() -> None:
    deployed = deployed_settings()

    assert len(deployed) > 15
    assert deployed - OF_THE_PLATFORM <= documented().keys()
    assert {name for name in deployed - OF_THE_PLATFORM if not is_read(name)} == set()


def is_read(name: str) -> bool:
    """Whether the app reads it, be its name computed or not."""
    return any(re.fullmatch(each.replace("*", r"\w+"), name) for each in read_by_the_app())


def test_every_setting_that_has_no_default_is_deployed() -> None:
    needed = {name for name, usually in documented().items() if not usually}

    assert needed - IN_OTHER_PLACES - BY_ITSELF <= deployed_settings()


def test_the_settings_of_bicep_are_those_that_a_deployment_sets() -> None:
    [settings] = [
        each["properties"]
        for each in of_type(ROOT / "infra/snapshots/scheduler.snapshot.json", SETTINGS_TYPE)
        if each["name"].endswith("/appsettings")
    ]

    assert {name for name in deployed_settings() if f"'{name}', " not in settings} == set()


def test_up_to_six_parameter_files_have_a_snapshot_each() -> None:
    files = sorted((ROOT / "infra" / "snapshots").glob("*.bicepparam"))

    assert 1 < len(files) <= 6
    assert [path.name for path in SNAPSHOTS] == [f"{path.stem}.snapshot.json" for path in files]


def test_no_two_environments_have_a_storage_account_and_so_a_task_hub_in_common() -> None:
    accounts = [
        account["name"]
        for snapshot in SNAPSHOTS
        for account in of_type(snapshot, "Microsoft.Storage/storageAccounts")
    ]

    assert len(set(accounts)) == len(accounts) == len(SNAPSHOTS)
    assert "durableTask__hubName" not in "".join(path.read_text("utf-8") for path in SNAPSHOTS)


@pytest.mark.parametrize("snapshot", SNAPSHOTS, ids=lambda path: path.name.split(".")[0])
def test_nothing_is_opened_by_a_shared_key_or_a_password(snapshot: Path) -> None:
    [account] = of_type(snapshot, "Microsoft.Storage/storageAccounts")
    [insights] = of_type(snapshot, "Microsoft.Insights/components")
    policies = of_type(snapshot, "Microsoft.Web/sites/basicPublishingCredentialsPolicies")

    assert account["properties"]["allowSharedKeyAccess"] is False
    assert account["properties"]["allowBlobPublicAccess"] is False
    assert insights["properties"]["DisableLocalAuth"] is True
    assert {policy["properties"]["allow"] for policy in policies} == {False}
    assert "listKeys" not in snapshot.read_text("utf-8")


def test_the_scheduler_has_the_hub_that_its_host_json_names_and_the_rest_is_the_same() -> None:
    ours = json.loads((ROOT / "host.json").read_text("utf-8"))
    theirs = json.loads((ROOT / "infra" / "host.scheduler.json").read_text("utf-8"))
    usual, durable = (each["extensions"].pop("durableTask") for each in (ours, theirs))
    provider = durable.pop("storageProvider")
    [hub] = of_type(
        ROOT / "infra/snapshots/scheduler.snapshot.json",
        "Microsoft.DurableTask/schedulers/taskHubs",
    )

    assert ours == theirs
    assert usual.pop("storageProvider")
    assert durable == usual
    assert provider == {
        "type": "azureManaged",
        "connectionStringName": "DURABLE_TASK_SCHEDULER_CONNECTION_STRING",
    }
    assert hub["name"].endswith(durable["hubName"])
