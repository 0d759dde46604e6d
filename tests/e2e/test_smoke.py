"""The smoke test finds what works and what does not, where keys are asked for as in Azure."""

import contextlib
import dataclasses
import io
import json
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path
from typing import NamedTuple
from urllib.parse import quote

import pytest
import requests
from azure.core.exceptions import ResourceExistsError
from azure.storage.blob import BlobServiceClient

from deployment import smoke
from tests.collecting import Collector, Line, Span, collecting
from tests.durablehost_process import Started, running
from tests.processes import PARTIES, PATIENCE, Site
from tests.scanning import id_of, scanned
from tests.source import patterns

KEYS = {"master": "m-key", "function": "a+function/key=", "durable": "d-key", "blobs": "b-key"}
WEBHOOK = (
    "/runtime/webhooks/blobs?functionName=Host.Functions.start_document_intake_from_blob&code="
)

pytestmark = pytest.mark.azurite


@pytest.fixture(scope="module")
def storage(azurite_connection: str) -> Iterator[BlobServiceClient]:
    with BlobServiceClient.from_connection_string(azurite_connection) as storage:
        for name in ("invoices", "scans"):
            with contextlib.suppress(ResourceExistsError):
                storage.create_container(name)
        yield storage


# Settings that nobody may find in what the app keeps, prints or returns.
SECRETS = {
    "DECISION_KEY": "planted-decision-key-that-is-long-enough",
    "DECISION_KEY_BEFORE": "planted-key-before-that-is-long-enough",
    "LINK_KEY": KEYS["function"],
    "TAX_TOKEN": "planted-tax-token",
}


class Host(NamedTuple):
    """A running durablehost, the folder with its hub, and where its telemetry goes."""

    started: Started
    folder: Path
    collector: Collector


@pytest.fixture(scope="module")
def host(
    world: Site,
    app_folder: Path,
    azurite_connection: str,
    storage: BlobServiceClient,
    tmp_path_factory: pytest.TempPathFactory,
) -> Iterator[Host]:
    """The app with the settings that it has in Azure, on a host that asks for keys."""
    folder = tmp_path_factory.mktemp("guarded")
    (folder / "keys.json").write_text(json.dumps(KEYS))
    environ = {f"{party.upper()}_URL": f"{world.base}/{party}" for party in PARTIES}
    environ |= SECRETS
    environ |= {"AzureWebJobsStorage": azurite_connection, "SCANS_BY_EVENT_GRID": "true"}
    options = ("--data", folder / "hub.db", "--auth", folder / "keys.json")
    environ |= {"OTEL_BSP_SCHEDULE_DELAY": "100", "OTEL_BLRP_SCHEDULE_DELAY": "100"}  # ms
    with collecting() as collector:
        environ["OTEL_EXPORTER_OTLP_ENDPOINT"] = collector.endpoint
        with running(app_folder, *options, environ=environ) as started:
            yield Host(started, folder, collector)


@pytest.fixture(scope="module")
def guarded(host: Host) -> Iterator[Site]:
    """The same, for requests."""
    site = Site(host.started.base.rstrip("/"))
    try:
        yield site
    finally:
        site.close()


def test_there_is_one_check_for_each_pattern() -> None:
    assert sorted(check.pattern for check in smoke.CHECKS) == patterns()


class Smoked(NamedTuple):
    """What the smoke test of all patterns has said."""

    code: int
    said: str


@pytest.fixture(scope="module")
def smoked(guarded: Site, world: Site) -> Smoked:
    options = ["--key", KEYS["function"], "--sandbox", world.base, "--pause", "0.1"]
    with contextlib.redirect_stdout(io.StringIO()) as said:
        code = smoke.main([guarded.base, *options])
    return Smoked(code, said.getvalue())


def test_every_pattern_of_a_sound_deployment_works(guarded: Site, smoked: Smoked) -> None:
    sweep = guarded.send("GET", f"/api/operations/sweep:ledger?code={quote(KEYS['function'])}")

    assert smoked.code == 0, smoked.said
    assert sweep.status_code == 404
    assert smoked.said.splitlines()[-1] == f"all {len(smoke.CHECKS)} patterns work"


def test_no_secret_is_in_the_hub_in_the_log_or_in_an_answer(
    guarded: Site, host: Host, smoked: Smoked
) -> None:
    key = quote(KEYS["function"], safe="")
    kept = b"".join(path.read_bytes() for path in host.folder.glob("hub.db*"))
    listed = guarded.send("GET", f"/api/operations?children=true&top=100&code={key}")
    assert listed.status_code == 200
    exported = b"".join(host.collector.bodies)
    assert b"document_intake" in kept
    assert b"document_intake" in exported

    found = {
        (place, name)
        for place, text in (
            ("hub", kept),
            ("log", host.started.text.encode()),
            ("answer", listed.content),
            ("telemetry", exported),
        )
        for name, secret in SECRETS.items()
        if secret.encode() in text or quote(secret, safe="").encode() in text
    }

    assert found == set()


@pytest.mark.parametrize(
    ("orchestrator", "request_", "partners"),
    [
        ("invoice_intake", "POST api/invoices", {"GET orders", "POST postings"}),
        ("invoice_payment", "POST api/payments", {"POST bank", "POST postings", "POST mail"}),
    ],
)
def test_calls_of_partners_are_in_the_trace_of_the_request(
    host: Host, smoked: Smoked, orchestrator: str, request_: str, partners: set[str]
) -> None:
    name = f"orchestration:{orchestrator}@(2.0)"

    whole = host.collector.wait_for(lambda span: span.name == name and not span.error)

    path = host.collector.path_of(whole)
    assert path == [request_, f"create_orchestration:{orchestrator}@(2.0)", name]
    assert host.collector.below(whole.trace_id, name) >= partners


def is_of_instance_in(line: Line) -> Callable[[Span], bool]:
    """Whether a span belongs to the instance that a line names, in the trace of the line."""
    instance = line.text.partition(": ")[0]

    def fits(span: Span) -> bool:
        return (span.trace_id, span.attributes.get("durabletask.task.instance_id")) == (
            line.trace_id,
            instance,
        )

    return fits


def test_each_line_of_the_app_has_the_id_of_its_instance_and_the_trace_of_its_request(
    host: Host, smoked: Smoked
) -> None:
    folders = ("activities", "blueprints", "http_api", "orchestration")
    lines = [each for each in host.collector.lines if each.logger.partition(".")[0] in folders]
    assert len(lines) > 5

    for line in lines:
        host.collector.wait_for(is_of_instance_in(line))


def test_the_smoke_test_names_what_does_not_work_and_fails(
    guarded: Site, capsys: pytest.CaptureFixture[str]
) -> None:
    options = ["--only", "entity_counter", "monitor", "--pause", "0.1"]

    code = smoke.main([guarded.base, "--key", "no key of ours", *options])

    said = capsys.readouterr().out
    assert code == 1
    assert said.splitlines()[-1] == "3 of 3 failed"
    assert "POST /api/payments: 401" in said
    assert "saga has no result to go on with" in said


def test_the_smoke_test_waits_for_a_mail_that_failed_at_first(guarded: Site, world: Site) -> None:
    about = "a payment that only this test approves"
    fault = {"on": "mail", "method": "POST", "fail_next": 1, "about": about}
    [check] = [each for each in smoke.CHECKS if each.pattern == "human_approval"]
    assert isinstance(check.body, Mapping)
    asked = dataclasses.replace(check, body={**check.body, "purpose": about})
    world.send("POST", "/faults", fault)

    seen = smoke.Smoke(guarded.base, KEYS["function"], world.base, pause=0.1).check(asked)

    assert (seen.wrong, seen.pattern) == ("", "human_approval")


def test_a_scan_that_event_grid_reports_starts_an_intake(
    guarded: Site, storage: BlobServiceClient
) -> None:
    content = scanned("E2E-GRID", amount_cents=1_000)
    blob = storage.get_blob_client("scans", "2026/grid.pdf")
    blob.upload_blob(content, overwrite=True)
    events = [{"eventType": "Microsoft.Storage.BlobCreated", "data": {"url": blob.url}}]
    headers = {"aeg-event-type": "Notification", "x-functions-key": KEYS["function"]}

    refused = requests.post(
        f"{guarded.base}{WEBHOOK}", json=events, headers=headers, timeout=PATIENCE
    )
    del headers["x-functions-key"]
    taken = requests.post(
        f"{guarded.base}{WEBHOOK}{KEYS['blobs']}", json=events, headers=headers, timeout=PATIENCE
    )
    operation = f"/api/operations/{id_of(content)}?code={quote(KEYS['function'], safe='')}"
    ended = guarded.read_until(operation, {"runtimeStatus": "Completed"})

    assert (refused.status_code, taken.status_code) == (401, 202)
    assert ended["output"]["outcome"] == "posted"
