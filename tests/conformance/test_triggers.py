"""durablehost's triggers pass the same values to the probe app as the real host's."""

import asyncio
import base64
import contextlib
import json
import os
import re
import signal
import sys
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import pytest
from aiohttp import ClientSession
from azure.core.exceptions import ResourceNotFoundError
from azure.storage.blob.aio import BlobServiceClient
from azure.storage.queue.aio import QueueServiceClient

import durablehost

PROBE = Path(__file__).parent / "triggers"
RECORDED = [json.loads(line) for line in (PROBE / "seen.jsonl").read_text().splitlines()]
PATIENCE_SECONDS = 60
BLOB_POISON = "webjobs-blobtrigger-poison"

pytestmark = [
    pytest.mark.azurite,
    pytest.mark.skipif(not hasattr(os, "mkfifo"), reason="the probe app writes into a named pipe"),
]


@asynccontextmanager
async def lines_of(pipe: Path) -> AsyncIterator[asyncio.StreamReader]:
    """The lines that a process writes into a named pipe."""
    os.mkfifo(pipe)
    reader = asyncio.StreamReader()
    # Open for writing as well, the pipe does not end with its first writer.
    with os.fdopen(os.open(pipe, os.O_RDWR | os.O_NONBLOCK), "rb", 0) as file:
        transport, _ = await asyncio.get_running_loop().connect_read_pipe(
            lambda: asyncio.StreamReaderProtocol(reader), file
        )
        yield reader
        transport.close()


async def until_ready(process: asyncio.subprocess.Process) -> str:
    """The address at which durablehost says it is ready."""
    assert process.stdout is not None
    printed = ""
    async for line in process.stdout:
        printed += line.decode()
        if ready := re.search(r"Ready at (\S+)", printed):
            return ready[1]
    raise AssertionError(f"durablehost did not start:\n{printed}")


async def fill(queues: QueueServiceClient, blobs: BlobServiceClient) -> str:
    """Create the blobs and messages of the recording. Returns the ETag of `bad.txt`."""
    for name in ("probe-in", "probe-in-poison", "probe-start"):
        with contextlib.suppress(ResourceNotFoundError):
            await queues.delete_queue(name)
    for name in ("probe-in", "probe-start"):
        await queues.create_queue(name)
    to_probe = queues.get_queue_client("probe-in")
    for text in ('{"a": 1}', "plain words", "ü ✓", "poison 1", "[1]"):
        await to_probe.send_message(base64.b64encode(text.encode()).decode())
    await to_probe.send_message("not base64!")
    to_start = queues.get_queue_client("probe-start")
    await to_start.send_message(base64.b64encode(b'{"from": "queue"}').decode())
    container = blobs.get_container_client("probe-in")
    with contextlib.suppress(ResourceNotFoundError):
        await container.delete_container()
    await container.create_container()
    await container.upload_blob("one.txt", b"hello", metadata={"who": "me"})
    for name, content in {
        "empty.txt": b"",
        "bad.txt": b"poison blob",
        "two.csv": b"a,b",
        "sub/three.txt": b"deep",
        "without-extension": b"unseen",
    }.items():
        await container.upload_blob(name, content)
    bad = await container.get_blob_client("bad.txt").get_blob_properties()
    return bad.etag.strip('"')


def as_recorded(note: dict[str, Any]) -> dict[str, Any]:
    """A note in the form of the recording, without values that differ between runs."""
    if note["kind"] == "timer":
        status = note["status"]
        return note | {"status": {**status, "LastUpdated": "", "Next": status["Next"][4:]}}
    if note["kind"] == "blob" and isinstance(note["props"], list):
        named = ["ContentLength", "ContentType", "ETag", "LastModified", "Metadata"]
        assert set(named) <= set(note["props"])
        count = f"{len(note['props'])} of the storage SDK's property names"
        return note | {"props": f"{count}, {', '.join(named[:-1])} and {named[-1]} among them"}
    return note


def in_order(notes: Sequence[dict[str, Any]]) -> list[str]:
    return sorted(json.dumps(as_recorded(note), sort_keys=True) for note in notes)


async def texts_in(queues: QueueServiceClient, name: str) -> list[str]:
    return [str(m.content) for m in await queues.get_queue_client(name).peek_messages(32)]


async def test_triggers_give_the_probe_app_the_recorded_values(
    azurite_connection: str, tmp_path: Path
) -> None:
    queues = QueueServiceClient.from_connection_string(azurite_connection)
    blobs = BlobServiceClient.from_connection_string(azurite_connection)
    environ = os.environ | {"AzureWebJobsStorage": azurite_connection, "PYTHONUNBUFFERED": "1"}
    command = [sys.executable, "-m", "durablehost", "start", str(PROBE), "--port", "0"]
    notes: list[dict[str, Any]] = []
    async with queues, blobs, lines_of(tmp_path / "seen") as lines, ClientSession() as session:
        etag = await fill(queues, blobs)
        process = await asyncio.create_subprocess_exec(
            *command,
            *("--data", ":memory:"),
            env=environ | {"SEEN": str(tmp_path / "seen")},
            cwd=Path(durablehost.__file__).parents[1],
            stdout=asyncio.subprocess.PIPE,
        )
        try:
            async with asyncio.timeout(PATIENCE_SECONDS):
                address = await until_ready(process)
                run = session.post(f"{address}/admin/functions/tick", json={"input": ""})
                async with run as answer:
                    assert answer.status == 202
                while len(notes) < len(RECORDED):
                    note = json.loads(await lines.readline())
                    if note["kind"] != "fast":  # every five seconds, and not in the recording
                        notes.append(note)
        finally:
            with contextlib.suppress(ProcessLookupError):
                process.send_signal(signal.SIGINT)
            await process.communicate()
        put_by = await texts_in(queues, "probe-in-poison")
        named = [json.loads(base64.b64decode(text)) for text in await texts_in(queues, BLOB_POISON)]

    assert in_order(notes) == in_order(RECORDED)
    assert sorted(put_by) == sorted([base64.b64encode(b"poison 1").decode(), "not base64!"])
    assert [blob for blob in named if blob["ETag"] == etag] == [
        {
            "Type": "BlobTrigger",
            "FunctionId": "Host.Functions.from_blob",
            "BlobType": "BlockBlob",
            "ContainerName": "probe-in",
            "BlobName": "bad.txt",
            "ETag": etag,
        }
    ]
