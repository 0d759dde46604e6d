"""The sample files: most can be read, some give a reader something to do."""

import os
import subprocess
import sys
from collections import Counter

import pytest
from azure.storage.blob import ContainerClient

from sandbox.answers import Refused
from sandbox.demo_files import CONTAINER, sample_files
from sandbox.documents import read_invoice
from sandbox.orders import seeded_orders
from tests.source import ROOT


def what_is_with(content: bytes) -> str:
    try:
        fields = read_invoice(content)
    except Refused as refused:
        return refused.code
    if min(field.confidence for field in fields.values()) < 0.9:
        return "hard to read"
    order = seeded_orders()[str(fields["order"].value)]
    ordered = (order.vendor, order.amount_cents)
    return (
        "fine" if (fields["vendor"].value, fields["amount_cents"].value) == ordered else "differs"
    )


def put_files(connection: str) -> "subprocess.CompletedProcess[str]":
    command = [sys.executable, "-m", "sandbox.demo_files"]
    env = os.environ | {"AzureWebJobsStorage": connection}
    return subprocess.run(command, cwd=ROOT, env=env, capture_output=True, text=True, check=False)


def test_three_of_twenty_demo_files_are_special():
    found = Counter(what_is_with(content) for content in sample_files().values())

    assert found == {"fine": 17, "differs": 1, "hard to read": 1, "unreadable": 1}


@pytest.mark.azurite
def test_the_files_are_in_the_container_however_often_they_are_put_there(azurite_connection):
    for _ in "ab":
        put = put_files(azurite_connection)
        assert put.returncode == 0, put.stdout + put.stderr

    with ContainerClient.from_connection_string(azurite_connection, CONTAINER) as container:
        names = {blob.name for blob in container.list_blobs()}
        assert names >= set(sample_files())
        [name, content] = next(iter(sample_files().items()))
        assert container.download_blob(name).readall() == content


def test_without_a_storage_one_line_says_so():
    nowhere = "DefaultEndpointsProtocol=http;AccountName=a;AccountKey=YQ==;"

    put = put_files(nowhere + "BlobEndpoint=http://127.0.0.1:1/a")

    assert put.returncode == 1
    assert put.stdout.startswith("the blob storage at http://127.0.0.1:1/a/ does not take files")
    assert len(put.stdout.splitlines()) == 1
    assert put.stderr == ""
