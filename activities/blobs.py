"""Blobs: files in the storage account of the app, written and read as a whole."""

import asyncio
from contextlib import suppress
from typing import Any, Final, TypedDict

import azure.durable_functions as df
from azure.core.exceptions import ResourceExistsError, ResourceNotFoundError
from azure.storage.blob import ContentSettings

from activities.storage_account import blob_service, storage_failures
from orchestration.failures import Failure

INVOICES: Final = "invoices"  # the container that the files of vendors arrive in
RESULTS: Final = "results"  # the container that the app writes to

_LOOK_SECONDS: Final = 5
_LISTED_AT_ONCE: Final = 1000
_DELETED_AT_ONCE: Final = 20

bp = df.Blueprint()


class BlobRef(TypedDict):
    """A reference to something large. Messages and histories contain it instead of the content."""

    container: str
    name: str
    bytes: int


class Folder(TypedDict):
    """All blobs whose names begin with a prefix."""

    container: str
    prefix: str


async def require_storage() -> None:
    """Raise a Failure at once if no storage answers. Starters call it before they start work."""
    with storage_failures(f"container {RESULTS}"):
        async with asyncio.timeout(_LOOK_SECONDS):
            service = await blob_service()
            await service.get_container_client(RESULTS).exists()


async def write_blob(
    container: str,
    name: str,
    content: bytes,
    content_type: str = "application/json",
    *,
    overwrite: bool = True,
) -> BlobRef:
    """Write a blob, and create its container if it is missing.

    `overwrite=False` leaves an existing blob as it is, because a concurrent reader would fail.
    """
    how: dict[str, Any] = {
        "overwrite": overwrite,
        "content_settings": ContentSettings(content_type=content_type),
    }
    with storage_failures(f"container {container}"):
        blobs = (await blob_service()).get_container_client(container)
        try:
            await blobs.upload_blob(name, content, **how)
        except ResourceNotFoundError:
            with suppress(ResourceExistsError):  # another writer was faster
                await blobs.create_container()
            await blobs.upload_blob(name, content, **how)
        except ResourceExistsError:
            if overwrite:
                raise
    return BlobRef(container=container, name=name, bytes=len(content))


async def read_blob(container: str, name: str, most_bytes: int) -> bytes:
    """Return the content of a blob. Raises Failure `unknown_blob` or `blob_too_large`."""
    with storage_failures(f"blob {name}"):
        blob = (await blob_service()).get_blob_client(container, name)
        stream = await blob.download_blob()
        if stream.size > most_bytes:
            message = f"the blob {name} has {stream.size} bytes: at most {most_bytes} are read"
            raise Failure("blob_too_large", message)
        return bytes(await stream.readall())


async def blob_names(container: str, prefix: str, most: int) -> list[str]:
    """Return the first names with a prefix, in their order. Raises Failure `unknown_blob`."""
    names: list[str] = []
    with storage_failures(f"container {container}"):
        blobs = (await blob_service()).get_container_client(container)
        page = min(most, 5000)
        async for name in blobs.list_blob_names(name_starts_with=prefix, results_per_page=page):
            names.append(str(name))
            if len(names) == most:
                break
    return names


@bp.activity_trigger(input_name="folder")
async def delete_blobs(folder: Folder) -> None:
    """Delete the blobs of a folder. It ignores a blob that is gone, so it may run twice."""
    with storage_failures(f"container {folder['container']}"):
        blobs = (await blob_service()).get_container_client(folder["container"])

        async def delete(name: str) -> None:
            with suppress(ResourceNotFoundError):
                await blobs.delete_blob(name)

        while names := await _names_if_any(folder):
            for first in range(0, len(names), _DELETED_AT_ONCE):
                await asyncio.gather(*map(delete, names[first : first + _DELETED_AT_ONCE]))


async def _names_if_any(folder: Folder) -> list[str]:
    try:
        return await blob_names(folder["container"], folder["prefix"], _LISTED_AT_ONCE)
    except Failure as failure:
        if failure.code == "unknown_blob":  # the container is missing too
            return []
        raise
