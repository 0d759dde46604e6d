"""`python -m sandbox.demo_files`: put sample invoices into the container `invoices`."""

import os
import sys
from contextlib import suppress

from azure.core.exceptions import AzureError, ResourceExistsError
from azure.storage.blob import BlobServiceClient

from sandbox.documents import write_invoice
from sandbox.orders import seeded_orders

CONTAINER = "invoices"
FOLDER = "2026-11"


def sample_files() -> dict[str, bytes]:
    """Return an invoice for each order of the sandbox. Three of them have a fault."""
    files = {}
    for n, (order, what) in enumerate(seeded_orders().items(), 1):
        number = f"INV-{1000 + n}"
        files[f"{FOLDER}/{number}.pdf"] = write_invoice(
            what.vendor, number, what.amount_cents, order=order, currency="EUR", date="2026-11-02"
        )
    files[f"{FOLDER}/INV-1018.pdf"] = write_invoice("globex", "INV-1018", 999_999, order="PO-1018")
    files[f"{FOLDER}/INV-1019.pdf"] = write_invoice(
        "initech", "INV-1019 ?0.61", 575_000, order="PO-1019"
    )
    files[f"{FOLDER}/INV-1020.pdf"] = b"%PDF-1.7\n\xff\xfe coffee was spilled over this one"
    return files


def main() -> int:
    setting = "AzureWebJobsStorage"
    connection = os.environ.get(setting, "UseDevelopmentStorage=true")
    files = sample_files()
    with BlobServiceClient.from_connection_string(connection, retry_total=0) as client:
        container = client.get_container_client(CONTAINER)
        try:
            with suppress(ResourceExistsError):
                container.create_container()
            for name, content in files.items():
                container.upload_blob(name, content, overwrite=True)
        except AzureError as error:
            print(f"the blob storage at {client.url} does not take files: {error.message}")
            return 1
    print(f"{len(files)} files are in the container {CONTAINER}, below {FOLDER}/")
    return 0


if __name__ == "__main__":
    sys.exit(main())
