"""`dev.py settings` names each setting that an app lacks, and sets those with one right value."""

import json
from typing import Any

import pytest

from deployment import settings
from tests.deployment.azure import Azure
from tests.deployment.test_infra import IN_OTHER_PLACES, deployed_settings
from tests.processes import PARTIES
from tests.test_settings import documented

LIST = "functionapp config appsettings list"
HERE = ["func-test", "--resource-group", "rg-test"]
WHOLE = {name: f"https://{name}" for name in deployed_settings()}
# The scheduler is needed if host.json names it, and the older key only after a rotation.
OPTIONAL = {settings.SCHEDULER, "DECISION_KEY_BEFORE"}


def listed(values: dict[str, str]) -> list[dict[str, Any]]:
    return [{"name": n, "value": v, "slotSetting": False} for n, v in values.items()]


def test_an_app_with_all_settings_lacks_none(
    azure: Azure, capsys: pytest.CaptureFixture[str]
) -> None:
    azure.answer({LIST: [listed(WHOLE)]})

    assert settings.main(HERE) == 0

    said = capsys.readouterr().out
    assert "nothing that the app needs is missing" in said
    assert not [line for line in said.splitlines() if line.startswith(("missing", "advised"))]


@pytest.mark.parametrize("name", sorted(WHOLE.keys() - OPTIONAL))
def test_any_setting_that_is_taken_away_is_named(name: str) -> None:
    [lacking] = settings.missing({n: v for n, v in WHOLE.items() if n != name})

    assert lacking.name == name
    assert lacking.what


def test_the_exit_code_tells_what_is_needed_from_what_is_advised(
    azure: Azure, capsys: pytest.CaptureFixture[str]
) -> None:
    without = [{n: v for n, v in WHOLE.items() if n != lost} for lost in ("BANK_URL", "LINK_KEY")]
    azure.answer({LIST: [listed(each) for each in without]})

    assert [settings.main(HERE), settings.main(HERE)] == [1, 0]

    first, second = capsys.readouterr().out.split("1 missing")
    assert "missing  BANK_URL" in first
    assert "advised  LINK_KEY" in second


@pytest.mark.parametrize(
    "storage",
    [
        {"AzureWebJobsStorage": "DefaultEndpointsProtocol=…"},
        {"AzureWebJobsStorage__accountName": "st"},
        {
            "AzureWebJobsStorage__accountName": "st",
            "AzureWebJobsStorage__credential": "managedidentity",
            "AzureWebJobsStorage__clientId": "id",
        },
    ],
)
def test_each_way_to_name_the_storage_works(storage: dict[str, str]) -> None:
    others = {n: v for n, v in WHOLE.items() if not n.startswith("AzureWebJobsStorage")}

    assert settings.missing(others | storage) == []


def test_every_setting_without_a_default_in_the_docs_is_asked_for() -> None:
    needed = {name for name, usually in documented().items() if not usually}
    known = {setting.name for setting in settings.missing({})}

    by_itself = {"FUNCTIONS_WORKER_RUNTIME", "WEBSITE_HOSTNAME"}
    instead = {"AzureWebJobsStorage__clientId", *IN_OTHER_PLACES}
    assert needed - by_itself - instead <= known
    assert set(settings.PARTIES) == set(PARTIES)


def test_without_an_app_it_lists_what_every_app_needs(capsys: pytest.CaptureFixture[str]) -> None:
    assert settings.main([]) == 0
    assert "missing  DECISION_KEY" in capsys.readouterr().out


def test_apply_sets_what_has_one_right_value_and_what_is_given(
    azure: Azure, capsys: pytest.CaptureFixture[str]
) -> None:
    storage = {"AzureWebJobsStorage__accountName": "st"}
    azure.answer({LIST: [listed(storage)], "functionapp config appsettings set": [[]]})
    sandbox = ["--sandbox", "https://sandbox.example.com/key/"]

    assert settings.main([*HERE, "--apply", *sandbox, "--set", "LINK_KEY=k=1", "BATCH=5"]) == 0

    [text] = azure.after("--settings")
    added = json.loads(text)
    assert added["BANK_URL"] == "https://sandbox.example.com/key/bank"
    assert (added["LINK_KEY"], added["BATCH"]) == ("k=1", "5")
    assert added["VENDOR_EVENTS_QUEUE"] == "vendor-events"
    assert len(added["DECISION_KEY"]) >= 32
    assert text in azure.in_files
    assert added["DECISION_KEY"] not in capsys.readouterr().out


def test_apply_names_what_is_still_missing_and_leaves_a_decision_key_alone(
    azure: Azure, capsys: pytest.CaptureFixture[str]
) -> None:
    without = {n: v for n, v in WHOLE.items() if n != "BANK_URL"}
    azure.answer({LIST: [listed(without)]})

    assert settings.main([*HERE, "--apply"]) == 1
    assert azure.after("--settings") == []
    assert "missing  BANK_URL" in capsys.readouterr().out


def test_each_harmful_setting_is_named(azure: Azure, capsys: pytest.CaptureFixture[str]) -> None:
    harm = {
        "AzureWebJobsStorage": "AccountKey=…",
        settings.HUB_NAME: "Other",
        "BANK_URL": "http://bank",
    }
    azure.answer({LIST: [listed(WHOLE | harm)]})

    assert settings.main(HERE) == 0

    warned = [line for line in capsys.readouterr().out.splitlines() if line.startswith("warning")]
    assert len(warned) == 3


def test_a_refusal_by_azure_is_reported(azure: Azure, capsys: pytest.CaptureFixture[str]) -> None:
    azure.answer({LIST: [{"fails": "ResourceNotFound: func-test"}]})

    assert settings.main(HERE) == 1
    assert "ResourceNotFound: func-test" in capsys.readouterr().err
