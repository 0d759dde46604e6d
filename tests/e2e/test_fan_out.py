"""Two hundred files in Azurite are read into one summary, over HTTP, by processes of their own."""

import json
from uuid import uuid4

import pytest
from azure.storage.blob import BlobServiceClient

from sandbox.documents import write_invoice
from tests.processes import Site


@pytest.mark.azurite
def test_of_two_hundred_files_all_but_the_unreadable_one_are_summed_up(
    demo_files: str, api: Site
) -> None:
    name = f"e2e-{uuid4()}"
    with BlobServiceClient.from_connection_string(demo_files) as storage:
        invoices = storage.get_container_client("invoices")
        for number in range(199):
            file = write_invoice("acme", str(number), 100 + number)
            invoices.upload_blob(f"{name}/{number:03}.pdf", file)
        invoices.upload_blob(f"{name}/coffee.pdf", b"%PDF-1.7\n\xff\xfe")

        started = api.send("POST", "/api/batches", {"name": name, "prefix": f"{name}/"})
        operation = api.ended(started.json()["id"])

        total = sum(100 + number for number in range(199))
        output = operation["output"]
        assert started.status_code == 202
        assert (output["read"], output["failed"], output["totals"]) == (199, 1, {"EUR": total})
        assert [failure["file"] for failure in output["failures"]] == [f"{name}/coffee.pdf"]
        blob = storage.get_blob_client("results", output["summary"]["name"])
        summary = json.loads(blob.download_blob().readall())
        assert len(summary["invoices"]) == 199
