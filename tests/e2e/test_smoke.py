"""The smoke test finds what works and what does not, where keys are asked for as in Azure."""

import contextlib
import json
from collections.abc import Iterator
from pathlib import Path
from urllib.parse import quote

import pytest
import requests
from azure.core.exceptions import ResourceExistsError
from azure.storage.blob import BlobServiceClient

from deployment import smoke
from tests.durablehost_process import running
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


@pytest.fixture(scope="module")
def guarded(
    world: Site,
    app_folder: Path,
    azurite_connection: str,
    storage: BlobServiceClient,
    tmp_path_factory: pytest.TempPathFactory,
) -> Iterator[Site]:
    """The app with the settings that it has in Azure, on a host that asks for keys."""
    folder = tmp_path_factory.mktemp("guarded")
    (folder / "keys.json").write_text(json.dumps(KEYS))
    environ = {f"{party.upper()}_URL": f"{world.base}/{party}" for party in PARTIES}
    environ |= {"DECISION_KEY": "a-key-for-tests-that-is-long-enough", "LINK_KEY": KEYS["function"]}
    environ |= {"AzureWebJobsStorage": azurite_connection, "SCANS_BY_EVENT_GRID": "true"}
    options = ("--data", folder / "hub.db", "--auth", folder / "keys.json")
    with running(app_folder, *options, environ=environ) as started:
        site = Site(started.base.rstrip("/"))
        try:
            yield site
        finally:
            site.close()


def test_there_is_one_check_for_each_pattern() -> None:
    assert sorted(check.pattern for check in smoke.CHECKS) == patterns()


def test_every_pattern_of_a_sound_deployment_works(
    guarded: Site, world: Site, capsys: pytest.CaptureFixture[str]
) -> None:
    options = ["--key", KEYS["function"], "--sandbox", world.base, "--pause", "0.1"]

    code = smoke.main([guarded.base, *options])

    said = capsys.readouterr().out
    sweep = guarded.send("GET", f"/api/operations/sweep:ledger?code={quote(KEYS['function'])}")
    assert code == 0, said
    assert sweep.status_code == 404
    assert said.splitlines()[-1] == f"all {len(smoke.CHECKS)} patterns work"


def test_what_does_not_work_is_named_and_the_exit_code_says_so(
    guarded: Site, capsys: pytest.CaptureFixture[str]
) -> None:
    options = ["--only", "entity_counter", "monitor", "--pause", "0.1"]

    code = smoke.main([guarded.base, "--key", "no key of ours", *options])

    said = capsys.readouterr().out
    assert code == 1
    assert said.splitlines()[-1] == "3 of 3 failed"
    assert "POST /api/payments: 401" in said
    assert "saga has no result to go on with" in said


def test_a_scan_of_which_event_grid_tells_is_taken_in(
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
