"""What durablehost makes of host.json, local.settings.json and the environment."""

import json
import logging
import os
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest

from durablehost.errors import CannotStart
from durablehost.settings import Settings, load_settings
from durablehost.settings.log_levels import LEVELS, level_of


def settings_of(
    folder: Path,
    *,
    durable: dict[str, Any] | None = None,
    environ: dict[str, str] | None = None,
    **host: Any,
) -> Settings:
    """The settings of an app whose host.json says this."""
    content = {"version": "2.0", **host}
    if durable is not None:
        content.setdefault("extensions", {})["durableTask"] = durable
    (folder / "host.json").write_text(json.dumps(content), encoding="utf-8")
    return load_settings(folder, {} if environ is None else environ)


def local_settings(folder: Path, environ: dict[str, str], **content: Any) -> Settings:
    (folder / "local.settings.json").write_text(json.dumps(content), encoding="utf-8")
    return settings_of(folder, environ=environ)


def test_a_bare_host_json_gives_the_defaults_of_the_host(tmp_path: Path) -> None:
    settings = settings_of(tmp_path)

    concurrent = 10 * (os.cpu_count() or 1)
    assert settings == Settings(
        max_concurrent_activities=concurrent,
        max_concurrent_orchestrators=concurrent,
        has_extensions=False,
        raw={"version": "2.0"},
    )


def test_every_setting_with_an_effect_is_read(tmp_path: Path) -> None:
    settings = settings_of(
        tmp_path,
        functionTimeout="01:02:03",
        logging={"logLevel": {"default": "warning", "Function.pay": "Error"}},
        functions=["pay", "book"],
        extensions={"http": {"routePrefix": "api/v1"}},
        durable={
            "hubName": "Payables",
            "maxConcurrentActivityFunctions": "3",
            "maxConcurrentOrchestratorFunctions": 4,
            "defaultVersion": "2.0",
            "versionMatchStrategy": "strict",
            "versionFailureStrategy": "Fail",
            "overridableExistingInstanceStates": "AnyState",
            "storageProvider": {"connectionName": "LedgerStorage"},
        },
    )

    assert settings.hub_name == "Payables"
    assert settings.route_prefix == "api/v1"
    assert settings.connection_name == "LedgerStorage"
    assert settings.max_concurrent_activities == 3
    assert settings.max_concurrent_orchestrators == 4
    assert settings.default_version == "2.0"
    assert settings.version_match == "Strict"
    assert settings.version_failure == "Fail"
    assert settings.may_replace_running
    assert settings.function_timeout == timedelta(hours=1, minutes=2, seconds=3)
    assert settings.log_levels == {"default": "Warning", "Function.pay": "Error"}
    assert settings.functions == ("pay", "book")
    assert settings.unused == ()


def test_names_of_settings_ignore_case(tmp_path: Path) -> None:
    extensions = {"HTTP": {"RoutePrefix": ""}, "DurableTask": {"HUBNAME": "Payables"}}

    settings = settings_of(tmp_path, Extensions=extensions)

    assert (settings.route_prefix, settings.hub_name) == ("", "Payables")
    assert settings.unused == ()


def test_comments_trailing_commas_and_a_byte_order_mark_are_allowed(tmp_path: Path) -> None:
    text = """{
        // from the template
        "version": "2.0", /* the form's
        version */
        "extensions": {"durableTask": {"hubName": "Payables",},},
        "logging": {"logLevel": {"a//b": "Error", "/* c */": "Debug"}},
    }"""
    (tmp_path / "host.json").write_text(text, encoding="utf-8-sig")

    settings = load_settings(tmp_path, {})

    assert settings.hub_name == "Payables"
    assert settings.log_levels == {"a//b": "Error", "/* c */": "Debug"}


def test_utf_16_as_powershell_writes_it_is_read(tmp_path: Path) -> None:
    (tmp_path / "host.json").write_text('{"version": "2.0"}', encoding="utf-16")

    assert load_settings(tmp_path, {}).hub_name == "TestHubName"


@pytest.mark.parametrize(
    ("text", "says"),
    [
        (None, r'no host\.json.*write a host\.json there, at least: \{"version": "2\.0"\}'),
        ("{}", r'missing the required "version"\. Write "version": "2\.0"'),
        ('{"version": "4.0"}', r"version is '4\.0'\. Write \"version\": \"2\.0\""),
        ('{"version": 2.0}', r"version is 2\.0\. Write"),
        ('{\n"version": "2.0"\n"a": 1}', r"host\.json is not valid JSON: line 3, column 1"),
        ('{/* a\nb */\n"version" "2.0"}', "line 3"),
        ('{"version": "2.0", "a": NaN}', "NaN is not a JSON value"),
        ('{"version": "2.0"', "line 1"),
        ('{"version": "2.0"\n}\n}', "the object ends before line 3, column 1, and more follows"),
        ("[]", "does not contain a JSON object"),
        ("", "line 1"),
        ("[" * 100_000, "not valid JSON"),
    ],
)
def test_an_invalid_host_json_is_refused_with_advice(
    tmp_path: Path, text: str | None, says: str
) -> None:
    if text is not None:
        (tmp_path / "host.json").write_text(text)

    with pytest.raises(CannotStart, match=says):
        load_settings(tmp_path, {})


def test_a_host_json_that_is_not_text_is_refused(tmp_path: Path) -> None:
    (tmp_path / "host.json").write_bytes(b'{"version": "2.0", "a": "\xff"}')

    with pytest.raises(CannotStart, match="is not text in UTF-8"):
        load_settings(tmp_path, {})


def test_a_host_json_that_is_a_folder_says_so(tmp_path: Path) -> None:
    (tmp_path / "host.json").mkdir()

    with pytest.raises(CannotStart, match=r"host\.json cannot be read"):
        load_settings(tmp_path, {})


def test_the_rule_for_names_of_hubs_is_that_of_azure_storage_alone(tmp_path: Path) -> None:
    durable = {"hubName": "my_hub", "storageProvider": {"type": "azureManaged"}}

    assert settings_of(tmp_path, durable=durable).hub_name == "my_hub"
    durable["storageProvider"] = {"type": "azureStorage"}
    with pytest.raises(CannotStart, match="hubName is 'my_hub'"):
        settings_of(tmp_path, durable=durable)


@pytest.mark.parametrize(
    ("name", "value", "says"),
    [
        ("hubName", "my-hub", "3 to 45 letters and digits, a letter first"),
        ("hubName", "x" * 46, "3 to 45"),
        ("hubName", "1hub", "a letter first"),
        ("hubName", "", "a name, or left out"),
        ("hubName", 7, "a text in quotes"),
        ("maxConcurrentActivityFunctions", 0, "a whole number of at least 1"),
        ("maxConcurrentActivityFunctions", "many", "a whole number"),
        ("maxConcurrentActivityFunctions", True, "a whole number"),
        ("maxConcurrentActivityFunctions", 1.5, "a whole number"),
        ("defaultVersion", 2.0, "a text in quotes"),
        ("versionMatchStrategy", "Newest", "one of None, Strict, CurrentOrOlder"),
        ("versionFailureStrategy", 1, "one of Reject, Fail"),
        ("overridableExistingInstanceStates", "All", "one of NonRunningStates, AnyState"),
        ("storageProvider", "mssql", "an object"),
    ],
)
def test_a_wrong_durable_setting_is_named_with_the_allowed_values(
    tmp_path: Path, name: str, value: Any, says: str
) -> None:
    with pytest.raises(CannotStart, match=rf"extensions\.durableTask\.{name} is .*{says}"):
        settings_of(tmp_path, durable={name: value})


@pytest.mark.parametrize(
    ("content", "says"),
    [
        ({"functionTimeout": "5 minutes"}, "functionTimeout is '5 minutes'"),
        ({"functionTimeout": "00:00:00"}, "at least a second"),
        ({"functionTimeout": "25:00:00"}, "hh:mm:ss"),
        ({"functionTimeout": 300}, "functionTimeout is 300"),
        ({"logging": {"logLevel": {"default": "Loud"}}}, r"logging\.logLevel\.default is 'Loud'"),
        ({"logging": {"logLevel": "Error"}}, r"logging\.logLevel is 'Error'.*an object"),
        ({"logging": 1}, "logging is 1"),
        ({"extensions": []}, "extensions is "),
        ({"extensions": {"http": {"routePrefix": "/api"}}}, "routePrefix is '/api'"),
        ({"extensions": {"http": {"routePrefix": "api/"}}}, "routePrefix is 'api/'"),
        ({"extensions": {"http": {"routePrefix": 1}}}, "routePrefix is 1"),
    ],
)
def test_a_wrong_setting_is_named(tmp_path: Path, content: dict[str, Any], says: str) -> None:
    with pytest.raises(CannotStart, match=says):
        settings_of(tmp_path, **content)


@pytest.mark.parametrize("endless", ["-1", -1])
def test_a_function_timeout_of_minus_one_is_none(tmp_path: Path, endless: object) -> None:
    assert settings_of(tmp_path, functionTimeout=endless).function_timeout is None


@pytest.mark.parametrize(
    ("name", "text", "field", "value"),
    [
        ("extensions__durableTask__hubName", "Payables", "hub_name", "Payables"),
        ("EXTENSIONS__DURABLETASK__HUBNAME", "Payables", "hub_name", "Payables"),
        ("extensions:http:routePrefix", "", "route_prefix", ""),
        (
            "extensions__durableTask__maxConcurrentActivityFunctions",
            "7",
            "max_concurrent_activities",
            7,
        ),
        ("extensions__durableTask__defaultVersion", "2.0", "default_version", "2.0"),
        ("functionTimeout", "-1", "function_timeout", None),
    ],
)
def test_the_environment_overrides_host_json(
    tmp_path: Path, name: str, text: str, field: str, value: object
) -> None:
    durable = {"hubName": "OfTheFile", "defaultVersion": "1.0", "maxConcurrentActivityFunctions": 1}

    environ = {f"AzureFunctionsJobHost__{name}": text}
    settings = settings_of(tmp_path, durable=durable, environ=environ)

    assert getattr(settings, field) == value


def test_numbers_and_booleans_of_the_environment_are_such_in_raw(tmp_path: Path) -> None:
    environ = {
        "AzureFunctionsJobHost__extensions__queues__maxDequeueCount": "3",
        "azurefunctionsjobhost__extensions__queues__batchSize": "1.5",
        "AzureFunctionsJobHost__extensions__queues__encrypted": "True",
        "AzureFunctionsJobHost__extensions__queues__encoding": "base64",
    }

    queues = settings_of(tmp_path, environ=environ).raw["extensions"]["queues"]

    assert queues == {
        "maxDequeueCount": 3,
        "batchSize": 1.5,
        "encrypted": True,
        "encoding": "base64",
    }


@pytest.mark.parametrize(
    ("hub_name", "environ", "resolved"),
    [
        ("Hub%STAGE%", {"Stage": "Two"}, "HubTwo"),
        ("%A%%B%", {"A": "Pay", "B": "ables"}, "Payables"),
        ("%MY HUB%", {"MY HUB": "Payables"}, "Payables"),
    ],
)
def test_the_hub_name_can_name_settings(
    tmp_path: Path, hub_name: str, environ: dict[str, str], resolved: str
) -> None:
    settings = settings_of(tmp_path, durable={"hubName": hub_name}, environ=environ)

    assert settings.hub_name == resolved


@pytest.mark.parametrize(
    ("hub_name", "words"),
    [
        ("%HUB%", r"hubName is '%HUB%': '%HUB%' does not resolve to a value\. Set the name"),
        ("Pay%", r"hubName is 'Pay%': The '%' at position 3 does not have a closing '%'"),
        ("Pay%%ables", r"'%%' does not resolve to a value\."),
    ],
)
def test_a_hub_name_that_does_not_resolve_is_refused(
    tmp_path: Path, hub_name: str, words: str
) -> None:
    with pytest.raises(CannotStart, match=words):
        settings_of(tmp_path, durable={"hubName": hub_name})


def test_no_other_value_of_host_json_can_name_a_setting(tmp_path: Path) -> None:
    settings = settings_of(tmp_path, durable={"defaultVersion": "%V%"}, environ={"V": "2.0"})

    assert settings.default_version == "%V%"


def test_a_value_of_local_settings_can_stand_in_percent_signs(tmp_path: Path) -> None:
    content = {"IsEncrypted": False, "Values": {"HUB": "Payables"}}
    (tmp_path / "local.settings.json").write_text(json.dumps(content))

    assert settings_of(tmp_path, durable={"hubName": "%HUB%"}).hub_name == "Payables"


@pytest.mark.parametrize(
    ("site", "hub"),
    [
        ("payables", "payables"),
        ("pay-ables_2", "payables2"),
        ("2pay", "t2pay"),
        ("ab", "abHub"),
        ("--", "DefaultTaskHub"),
        ("x" * 60, "x" * 45),
    ],
)
def test_without_a_hub_name_the_site_gives_it(tmp_path: Path, site: str, hub: str) -> None:
    assert settings_of(tmp_path, environ={"WEBSITE_SITE_NAME": site}).hub_name == hub


def test_settings_durablehost_does_nothing_with_are_named_and_typing_errors_said_to_be_such(
    tmp_path: Path,
) -> None:
    settings = settings_of(
        tmp_path,
        extensionBundle={"id": "Microsoft.Azure.Functions.ExtensionBundle", "version": "[4.*, 5)"},
        retry={"strategy": "fixedDelay"},
        extenions={},
        extensions={
            "http": {"hsts": {}, "routPrefix": "x"},
            "queues": {"batchSize": 4, "batchSizes": 4},
            "blobs": {"poisonBlobThreshold": 5},
            "serviceBus": {},
        },
        durable={
            "tracing": {"version": "V2"},
            "hubNam": "x",
            "maxConcurrentEntityFunctions": 5,
            "maxConcurrentOrchestratorFunctions": 5,
            "storageProvider": {"partitionCount": 3, "connectionName": "Storage"},
        },
    )

    assert sorted(settings.unused) == [
        "extenions (no such setting)",
        "extensions.durableTask.hubNam (no such setting)",
        "extensions.durableTask.maxConcurrentEntityFunctions",
        "extensions.durableTask.storageProvider.partitionCount",
        "extensions.durableTask.tracing",
        "extensions.http.hsts",
        "extensions.http.routPrefix (no such setting)",
        "extensions.queues.batchSizes (no such setting)",
        "extensions.serviceBus",
        "retry",
    ]


def test_values_of_local_settings_become_environment(tmp_path: Path) -> None:
    environ: dict[str, str] = {}

    local_settings(tmp_path, environ, IsEncrypted=False, Values={"LIMIT": "5", "EMPTY": ""})

    assert environ["LIMIT"] == "5"
    assert environ["EMPTY"] == ""


def test_values_of_the_environment_are_kept_and_reported(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    environ = {"LIMIT": "9"}

    with caplog.at_level(logging.WARNING):
        local_settings(tmp_path, environ, IsEncrypted=False, Values={"LIMIT": "5", "GONE": None})

    assert environ["LIMIT"] == "9"
    assert caplog.messages == [
        "Skipping 'LIMIT' from local settings as it's already defined in current environment "
        "variables.",
        "Skipping 'GONE' because value is null",
    ]


def test_connection_strings_become_environment_as_func_names_them(tmp_path: Path) -> None:
    environ: dict[str, str] = {}
    strings = {"Ledger": "Server=a", "Books": {"ConnectionString": "Server=b"}}

    local_settings(tmp_path, environ, IsEncrypted=False, ConnectionStrings=strings)

    assert environ["ConnectionStrings:Ledger"] == "Server=a"
    assert environ["ConnectionStrings:Books"] == "Server=b"


def test_an_app_is_told_where_it_runs(tmp_path: Path) -> None:
    environ: dict[str, str] = {}

    settings_of(tmp_path, environ=environ)

    assert environ == {
        "FUNCTIONS_WORKER_RUNTIME": "python",
        "AZURE_FUNCTIONS_ENVIRONMENT": "Development",
        "AzureWebJobsScriptRoot": str(tmp_path.resolve()),
    }


@pytest.mark.parametrize(
    ("content", "says"),
    [
        ({"IsEncrypted": True, "Values": {"A": "x"}}, "func settings decrypt"),
        ({"IsEncrypted": True}, '"IsEncrypted": false'),
        (
            {"Values": {"A": "x"}},
            'has no "IsEncrypted".*"IsEncrypted": false.*func settings decrypt',
        ),
        ({"IsEncrypted": "no"}, "'no'. Write true or false"),
        ({"IsEncrypted": False, "Values": {"LIMIT": 5}}, "LIMIT is 5.*write it in quotes"),
        ({"IsEncrypted": False, "Values": {"A": {"b": "c"}}}, "A is {'b': 'c'}"),
        ({"IsEncrypted": False, "Values": ["A"]}, '"Values" is .*It has to be an object'),
        ({"IsEncrypted": False, "Values": {"A": "x\0"}}, "cannot be put into the environment"),
        ({"IsEncrypted": False, "Values": {"A=B": "x"}}, "cannot be put into the environment"),
        (
            {"IsEncrypted": False, "Values": {"FUNCTIONS_WORKER_RUNTIME": "node"}},
            "FUNCTIONS_WORKER_RUNTIME is 'node'",
        ),
        ({"Host": {"LocalHttpPort": 70000}}, "LocalHttpPort is 70000.*0 to 65535"),
        ({"Host": {"LocalHttpPort": True}}, "LocalHttpPort is True"),
        ({"Host": {"CORS": ["*"]}}, r"Host\.CORS is \['\*'\]"),
        ({"Host": {"CORSCredentials": "yes"}}, "CORSCredentials is 'yes'.*true or false"),
        ({"Host": {"CORS": "*", "CORSCredentials": True}}, "Name the origins"),
    ],
)
def test_a_wrong_local_settings_file_is_refused_with_advice(
    tmp_path: Path, content: dict[str, Any], says: str
) -> None:
    with pytest.raises(CannotStart, match=says):
        local_settings(tmp_path, {}, **content)


def test_a_local_settings_file_that_is_not_json_is_named_with_the_line(tmp_path: Path) -> None:
    (tmp_path / "local.settings.json").write_text('{\n"IsEncrypted": no}')

    with pytest.raises(CannotStart, match=r"local\.settings\.json is not valid JSON: line 2"):
        settings_of(tmp_path)


def test_the_host_section_says_where_to_listen_and_who_may_call(tmp_path: Path) -> None:
    host = {"LocalHttpPort": "7080", "CORS": "https://a.example, https://b.example/"}

    settings = local_settings(tmp_path, {}, Host={**host, "CORSCredentials": True})

    assert settings.port == 7080
    assert settings.cors == ("https://a.example", "https://b.example")
    assert settings.cors_credentials


@pytest.mark.parametrize(
    ("name", "value", "disabled"),
    [
        ("AzureWebJobs.Sweep.Disabled", "true", {"sweep"}),
        ("AzureWebJobs_Sweep_Disabled", "1", {"sweep"}),
        ("AzureWebJobs.start_sweep.Disabled", "True", {"start_sweep"}),
        ("AzureWebJobs.Sweep.Disabled", "false", set()),
    ],
)
def test_a_function_is_switched_off_by_a_setting(
    tmp_path: Path, name: str, value: str, disabled: set[str]
) -> None:
    assert settings_of(tmp_path, environ={name: value}).disabled == disabled


def test_extensions_come_by_a_bundle_or_were_built_into_the_app(tmp_path: Path) -> None:
    bundle = {"id": "Microsoft.Azure.Functions.ExtensionBundle", "version": "[4.*, 5.0.0)"}

    neither = settings_of(tmp_path)
    by_bundle = settings_of(tmp_path, ExtensionBundle=bundle)
    (tmp_path / "bin").mkdir()
    (tmp_path / "bin" / "extensions.json").write_text("{}")
    built_in = settings_of(tmp_path)

    found = (neither.has_extensions, by_bundle.has_extensions, built_in.has_extensions)
    assert found == (False, True, True)


def test_the_page_and_the_largest_body_are_settings_too(tmp_path: Path) -> None:
    environ = {"AzureWebJobsDisableHomepage": "True", "FUNCTIONS_REQUEST_BODY_SIZE_LIMIT": "12"}

    settings = settings_of(tmp_path, environ=environ)

    assert not settings.homepage
    assert settings.body_limit == 12


def test_the_environment_may_list_the_functions_to_load(tmp_path: Path) -> None:
    environ = {
        "AzureFunctionsJobHost__functions__0": "pay",
        "AzureFunctionsJobHost__functions__1": "book",
    }

    assert settings_of(tmp_path, environ=environ).functions == ("pay", "book")


@pytest.mark.parametrize(
    ("category", "level"),
    [
        ("Function.pay.User", "Error"),
        ("Function.paying.User", "Error"),  # .NET goes by how the name begins
        ("Function.PAY.user", "Error"),
        ("Function.book.User", "Debug"),
        ("Host.Triggers.DurableTask", "Warning"),
        ("default", "Warning"),
    ],
)
def test_the_longest_beginning_of_a_category_has_its_level(category: str, level: str) -> None:
    levels = {"default": "Warning", "Function": "Debug", "Function.pay": "Error"}

    assert level_of(category, levels) == LEVELS[level]


def test_levels_without_effect_are_listed(tmp_path: Path) -> None:
    levels = {
        "default": "Information",
        "Host": "Warning",
        "Host.Results": "Error",
        "Function": "Debug",
        "Worker": "Error",
    }
    section = {"logLevel": levels, "applicationInsights": {}}

    settings = settings_of(tmp_path, logging=section)
    environ = {"PYTHON_ENABLE_DEBUG_LOGGING": "1"}
    debugging = settings_of(tmp_path, logging=section, environ=environ)

    needs = "they need PYTHON_ENABLE_DEBUG_LOGGING=1, as on Azure"
    assert sorted(settings.unused) == [
        "logging.applicationInsights",
        f"logging.logLevel.Function for the app's debug messages: {needs}",
        "logging.logLevel.Host.Results",
        "logging.logLevel.Worker",
    ]
    assert len(debugging.unused) == 3
    assert debugging.debug_logging


def test_app_settings_without_effect_are_listed_with_the_reason(tmp_path: Path) -> None:
    environ = {"WEBSITE_TIME_ZONE": "Europe/Berlin", "FUNCTIONS_WORKER_PROCESS_COUNT": ""}

    assert settings_of(tmp_path, environ=environ).unused == (
        "WEBSITE_TIME_ZONE: timers run in UTC",
    )
