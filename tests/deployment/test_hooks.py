"""Keys are created once; links and new scans find the app after each deployment."""

import re
from urllib.parse import parse_qs, urlsplit

import pytest

from deployment import hooks
from durablehost.app.functions import FunctionTable
from tests.deployment.azure import Azure
from tests.source import ROOT

LIST = "keyvault secret list"
KEYS = "functionapp keys list"


@pytest.fixture(autouse=True)
def outputs(monkeypatch: pytest.MonkeyPatch) -> None:
    """The outputs of main.bicep, as azd passes them to hooks."""
    monkeypatch.setenv("AZURE_RESOURCE_GROUP", "rg-test")
    monkeypatch.setenv("AZURE_FUNCTION_APP", "func-test")
    monkeypatch.setenv("AZURE_FUNCTION_APP_URL", "https://func-test.azurewebsites.net")
    monkeypatch.setenv("AZURE_KEY_VAULT", "kv-test")
    monkeypatch.setenv("AZURE_SYSTEM_TOPIC", "evgt-test")


def run(command: str) -> int:
    return hooks.main([command, "--attempts", "3", "--pause", "0"])


def test_the_outputs_that_hooks_need_are_outputs_of_bicep() -> None:
    bicep = (ROOT / "infra" / "main.bicep").read_text("utf-8")
    needed = re.findall(r'output\("(\w+)"\)', (ROOT / "deployment" / "hooks.py").read_text("utf-8"))

    assert len(needed) > 4
    assert set(needed) <= set(re.findall(r"^output (\w+) ", bicep, re.MULTILINE))


def test_keys_that_the_vault_lacks_are_created_and_the_app_reads_it_anew(azure: Azure) -> None:
    azure.answer({LIST: [[]]})

    assert run("keys") == 0

    created = azure.after("--value")
    assert [words[4:8] for words in azure.asked if "set" in words] == [
        ["kv-test", "--name", "decision-key", "--value"],
        ["kv-test", "--name", "decision-key-before", "--value"],
        ["kv-test", "--name", "link-key", "--value"],
    ]
    assert len(set(created)) == 3
    assert min(map(len, created)) >= 32
    assert "/func-test/config/configreferences/appsettings/refresh?" in azure.after("--url")[0]


def test_a_key_that_exists_is_not_created_again(azure: Azure) -> None:
    azure.answer({LIST: [list(hooks.KEYS)]})

    assert run("keys") == 0
    assert azure.after("--value") == []


def test_a_rotation_keeps_the_key_until_now_as_the_key_before(azure: Azure) -> None:
    azure.answer({"keyvault secret show": ["the-key-until-now"]})

    assert run("rotate") == 0

    before, new = azure.after("--value")
    assert azure.after("--name")[1:3] == ["decision-key-before", "decision-key"]
    assert before == "the-key-until-now"
    assert len(new) >= 32
    assert azure.in_files == {before, new}
    assert "/func-test/config/configreferences/appsettings/refresh?" in azure.after("--url")[0]


def test_links_are_let_into_the_functions_that_they_lead_to(azure: Azure) -> None:
    azure.answer({"keyvault secret show": ["a-link-key"], KEYS: ["a-blobs-key"]})

    assert run("connect") == 0

    assert azure.after("--function-name") == list(hooks.LINKED)
    assert set(azure.after("--key-value")) == {"a-link-key"}


def test_event_grid_reports_scans_to_the_function_that_takes_them(azure: Azure) -> None:
    azure.answer({"keyvault secret show": ["a-link-key"], KEYS: ["a-blobs-key"]})

    assert run("connect") == 0

    [endpoint] = azure.after("--endpoint")
    assert urlsplit(endpoint).path == "/runtime/webhooks/blobs"
    assert parse_qs(urlsplit(endpoint).query) == {
        "functionName": ["Host.Functions.start_document_intake_from_blob"],
        "code": ["a-blobs-key"],
    }
    assert azure.after("--system-topic-name") == ["evgt-test"]
    assert azure.after("--subject-begins-with") == ["/blobServices/default/containers/scans/"]


def test_a_step_that_is_not_ready_yet_is_tried_again(azure: Azure) -> None:
    azure.answer({LIST: [{"fails": "Forbidden"}, list(hooks.KEYS)]})
    azure.answer({"keyvault secret show": ["a-link-key"], KEYS: [None, "a-blobs-key"]})

    assert (run("keys"), run("connect")) == (0, 0)
    assert len(azure.after("--endpoint")) == 1


def test_what_azure_says_at_the_last_attempt_is_shown(
    azure: Azure, capsys: pytest.CaptureFixture[str]
) -> None:
    azure.answer({LIST: [{"fails": "Forbidden: no role"}]})

    assert run("keys") == 1
    assert capsys.readouterr().err == "az keyvault secret list --vault-name: Forbidden: no role\n"


def test_secrets_are_not_passed_as_arguments_that_other_processes_can_read(azure: Azure) -> None:
    azure.answer({LIST: [[]], "keyvault secret show": ["a-link-key"], KEYS: ["a-blobs-key"]})

    assert (run("keys"), run("connect")) == (0, 0)

    [endpoint] = azure.after("--endpoint")
    assert azure.in_files == {*azure.after("--value"), "a-link-key", endpoint}


def test_the_hooks_name_functions_of_the_app(durable_app: FunctionTable) -> None:
    functions = {function.name: function for function in durable_app.functions}

    assert {*hooks.LINKED, hooks.SCANS_FUNCTION} <= functions.keys()
    assert functions[hooks.SCANS_FUNCTION].kind == "blob"


def test_the_runbook_names_the_function_that_takes_scans() -> None:
    page = (ROOT / "docs" / "deploying.md").read_text("utf-8")

    assert f"functionName=Host.Functions.{hooks.SCANS_FUNCTION}&" in page


def test_the_page_about_security_names_the_functions_that_links_lead_to() -> None:
    page = (ROOT / "docs" / "security.md").read_text("utf-8")
    [named] = re.findall(r"for function in (.*?); do", page, re.DOTALL)

    assert tuple(named.replace("\\", "").split()) == hooks.LINKED
