"""What triggers read of bindings, settings and host.json."""

import sys
from datetime import timedelta

import azure.durable_functions as df
import azure.functions as func
import pytest

from durablehost.calling.blob_path import parse_path
from durablehost.calling.connections import Connections
from durablehost.errors import CannotStart
from durablehost.settings.percent_names import resolve
from durablehost.triggers import QueueOptions, TriggerOptions
from tests.durablehost.triggers.triggering import Alarm, Seen, said, triggers_of

KEY = "c2VjcmV0"
ACCOUNT = f"DefaultEndpointsProtocol=https;AccountName=acme;AccountKey={KEY}"


@pytest.mark.parametrize(
    ("path", "taken", "left"),
    [
        ("in/{name}.{ext}", ["a.txt", "sub/a.txt", "a.b.c", ".x"], ["a", "sub/a"]),
        ("in/{name}", ["a", "sub/a", "a.txt"], []),
        ("in/{name}.csv", ["a.csv"], ["a.CSV", "a.csv.gz", "a"]),
        ("in/new/{date}-{id}.json", ["new/1-2.json", "new/-.json"], ["1-2.json", "old/1-2.json"]),
        ("in/exact.txt", ["exact.txt"], ["exactxtxt", "exact.txt2"]),
        ("in", ["a", "sub/a.txt"], []),
        ("in/{{{name}}}", ["{a}"], ["a"]),
        ("in/{same}/{same}", ["a/b"], ["a"]),
    ],
)
def test_a_blob_path_takes_what_the_host_takes(
    path: str, taken: list[str], left: list[str]
) -> None:
    blob_path = parse_path(path)

    assert blob_path.container == "in"
    assert [name for name in taken + left if blob_path.takes(name)] == taken
    assert all(name.startswith(blob_path.prefix) for name in taken)


def test_a_blob_path_asks_the_storage_for_no_more_than_its_fixed_beginning() -> None:
    assert parse_path("in/new/{date}.json").prefix == "new/"


@pytest.mark.parametrize(
    "path", ["", "/a", "in/", "{c}/a", "in/{", "in/a}", "in/{}", "in/{a.b}", "in/{rand-guid}"]
)
def test_a_blob_path_the_host_does_not_take_is_refused_by_name(path: str) -> None:
    with pytest.raises(ValueError, match="^Invalid") as refused:
        parse_path(path)

    assert f"'{path}'" in str(refused.value)


def test_names_between_percent_signs_are_settings_whatever_their_case() -> None:
    assert resolve("%One%-of-%TWO%", {"ONE": "1", "two": "2"}) == "1-of-2"


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("x-%ABSENT%", "'%ABSENT%' does not resolve to a value."),
        ("ab%c", "The '%' at position 2 does not have a closing '%'"),
        ("%A%b%", "The '%' at position 4 does not have a closing '%'"),
    ],
)
def test_a_name_without_a_setting_is_refused_with_the_message_of_the_host(
    text: str, words: str
) -> None:
    with pytest.raises(ValueError, match="%") as refused:
        resolve(text, {"A": "1"})

    assert str(refused.value) == words


@pytest.mark.parametrize(
    ("connection", "environ", "account"),
    [
        ("", {"AzureWebJobsStorage": ACCOUNT}, "acme"),
        ("AzureWebJobsStorage", {"AzureWebJobsStorage": ACCOUNT}, "acme"),
        ("Storage", {"AzureWebJobsStorage": ACCOUNT, "Storage": "nonsense"}, "acme"),
        ("Invoices", {"Invoices": ACCOUNT}, "acme"),
        ("INVOICES", {"Invoices": ACCOUNT}, "acme"),
        ("Invoices", {"AzureWebJobsInvoices": ACCOUNT}, "acme"),
        ("Invoices", {"ConnectionStrings:Invoices": ACCOUNT}, "acme"),
        ("%WHICH%", {"WHICH": "Invoices", "Invoices": ACCOUNT}, "acme"),
        ("Storage", {"AzureWebJobsStorage": "UseDevelopmentStorage=true"}, "devstoreaccount1"),
    ],
)
async def test_a_connection_is_found_where_the_host_finds_it(
    connection: str, environ: dict[str, str], account: str
) -> None:
    connections = Connections(environ)

    assert connections.queues(connection).account_name == account
    assert connections.blobs(connection).account_name == account
    await connections.close()


@pytest.mark.parametrize(
    ("setting", "host"),
    [
        ("UseDevelopmentStorage=true", "http://127.0.0.1"),
        ("UseDevelopmentStorage=True;DevelopmentStorageProxyUri=http://azurite/", "http://azurite"),
    ],
)
async def test_development_storage_is_azurite_s_well_known_addresses(
    setting: str, host: str
) -> None:
    connections = Connections({"AzureWebJobsStorage": setting})

    assert connections.blobs("Storage").url == f"{host}:10000/devstoreaccount1/"
    assert connections.queues("Storage").url == f"{host}:10001/devstoreaccount1/"
    await connections.close()


async def test_one_connection_has_one_client_of_each_kind() -> None:
    connections = Connections({"A": ACCOUNT})

    assert connections.queues("A") is connections.queues("A")
    assert connections.blobs("A") is connections.blobs("A")
    await connections.close()


@pytest.mark.parametrize(
    "settings",
    [
        {"A__blobServiceUri": "https://b.example/", "A__queueServiceUri": "https://q.example/"},
        {"AzureWebJobsA__accountName": "acme"},
    ],
)
async def test_services_without_a_key_are_asked_with_azure_identity(
    settings: dict[str, str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setitem(sys.modules, "azure.identity.aio", None)
    connections = Connections(settings)

    with pytest.raises(ValueError, match="pip install azure-identity"):
        connections.queues("A")
    await connections.close()


async def test_a_service_without_an_address_is_named() -> None:
    connections = Connections({"A__blobServiceUri": "https://b.example/"})

    with pytest.raises(ValueError, match="^there is no setting A__queueServiceUri, but"):
        connections.queues("A")
    await connections.close()


async def test_an_invalid_connection_string_is_refused_without_being_shown() -> None:
    connections = Connections({"A": f"AccountKey={KEY}"})

    with pytest.raises(ValueError, match="^the setting A is not the connection string") as refused:
        connections.blobs("A")
    assert KEY not in str(refused.value)
    await connections.close()


async def test_functions_that_lack_a_setting_are_named_and_the_others_run(
    caplog: pytest.LogCaptureFixture,
) -> None:
    seen = Seen()
    app = df.DFApp()

    @app.queue_trigger(arg_name="msg", queue_name="orders", connection="OrdersStorage")
    async def on_order(msg: func.QueueMessage) -> None:
        raise AssertionError("never called")

    @app.blob_trigger(arg_name="blob", path="in/{name", connection="AzureWebJobsStorage")
    async def on_file(blob: func.InputStream) -> None:
        raise AssertionError("never called")

    @app.timer_trigger(schedule="0 0 * * * *", arg_name="timer", run_on_startup=True)
    async def tick(timer: func.TimerRequest) -> None:
        seen.note("ran")

    environ = {"AzureWebJobsStorage": "UseDevelopmentStorage=true"}
    async with triggers_of(app, environ, alarm=Alarm()):
        await seen.next()

    assert said(caplog) == [
        "on_order does not fire: there is no setting AzureWebJobsOrdersStorage or OrdersStorage. "
        "Put it under Values in local.settings.json: a connection string, or "
        '"UseDevelopmentStorage=true" for Azurite.',
        "on_file does not fire: Invalid template 'in/{name'. Missing closing or opening bracket.",
    ]


def test_host_json_sets_how_queues_and_blobs_are_processed() -> None:
    queues = {
        "BatchSize": 4,
        "newBatchThreshold": 0,
        "maxDequeueCount": "2",
        "visibilityTimeout": "00:00:30",
        "maxPollingInterval": "00:01:00",
        "messageEncoding": "none",
    }

    blobs = {"maxDegreeOfParallelism": 1, "poisonBlobThreshold": 3}
    options = TriggerOptions.from_host_json({"extensions": {"queues": queues, "blobs": blobs}})

    assert (options.queues.batch_size, options.queues.new_batch_threshold) == (4, 0)
    assert options.queues.max_dequeue_count == 2
    assert options.queues.visibility_timeout == timedelta(seconds=30)
    assert options.queues.max_polling_interval == timedelta(minutes=1)
    assert not options.queues.base64
    assert (options.max_parallel_blobs, options.max_blob_tries) == (1, 3)


def test_the_threshold_for_a_new_batch_is_half_a_batch_unless_set() -> None:
    queues = {"batchSize": 32}

    assert TriggerOptions.from_host_json({"extensions": {"queues": queues}}) == TriggerOptions(
        QueueOptions(batch_size=32, new_batch_threshold=16)
    )
    assert TriggerOptions.from_host_json({}) == TriggerOptions()


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("batchSize", 33),
        ("batchSize", 0),
        ("batchSize", "many"),
        ("newBatchThreshold", -1),
        ("maxDequeueCount", 0),
        ("visibilityTimeout", "soon"),
        ("visibilityTimeout", "-00:00:01"),
        ("maxPollingInterval", "2 seconds"),
        ("messageEncoding", "utf-8"),
    ],
)
def test_a_value_the_host_does_not_take_is_named(name: str, value: object) -> None:
    with pytest.raises(CannotStart) as refused:
        TriggerOptions.from_host_json({"extensions": {"queues": {name: value}}})

    assert f"extensions.queues.{name} is {value!r}. It has to be " in str(refused.value)
