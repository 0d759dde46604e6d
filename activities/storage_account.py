"""The storage account for the app's files, and the meaning of its failures.

The setting INVOICES, or else AzureWebJobsStorage, names the account: by a connection string, as for
Azurite, or in Azure by `…__blobServiceUri` or `…__accountName`, which use the app's identity.
"""

import asyncio
import os
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Final

from azure.core.exceptions import AzureError, ClientAuthenticationError, HttpResponseError
from azure.storage.blob.aio import BlobServiceClient

from orchestration.failures import Failure

if TYPE_CHECKING:
    from azure.identity.aio import DefaultAzureCredential

SETTINGS: Final = ("INVOICES", "AzureWebJobsStorage")

_CONNECT_SECONDS: Final = 5
_READ_SECONDS: Final = 60
_BLOCK_BYTES: Final = 2**20  # larger blocks would delay all other work on the event loop
_TRY_AGAIN: Final = frozenset({408, 409, 429})  # 409: such as a container that is being deleted


@dataclass(frozen=True)
class _Account:
    """The connections of one event loop to a storage account. They cannot change loops."""

    address: str
    service: BlobServiceClient
    identity: "DefaultAzureCredential | None" = None

    async def close(self) -> None:
        await self.service.close()
        if self.identity is not None:
            await self.identity.close()


_accounts: dict[asyncio.AbstractEventLoop, _Account] = {}


async def blob_service() -> BlobServiceClient:
    """The client of this event loop. Raises Failure `not_configured`."""
    setting, address = _named()
    loop = asyncio.get_running_loop()
    account = _accounts.get(loop)
    if account is None or account.address != address:
        await close()
        account = _accounts[loop] = _opened(setting, address)
    return account.service


async def close() -> None:
    """Close the connections of this event loop. Call it before the loop ends."""
    account = _accounts.pop(asyncio.get_running_loop(), None)
    if account is not None:
        await account.close()


@contextmanager
def storage_failures(what: str) -> Iterator[None]:
    """Turn exceptions of the storage client into Failures; `what` is the container or blob."""
    try:
        yield
    except HttpResponseError as error:
        raise _failure_of(error, what) from error
    except (AzureError, TimeoutError) as error:
        where = " or ".join(SETTINGS)
        advice = f"in Azure, look at the setting {where}; here, `make run` starts one with Node 18"
        message = f"the blob storage does not answer: {advice}"
        raise Failure("storage_unavailable", message, retriable=True) from error


def _failure_of(error: HttpResponseError, what: str) -> Failure:
    status = error.status_code
    if status == 404:
        return Failure("unknown_blob", f"the blob storage has no {what}")
    if isinstance(error, ClientAuthenticationError) or status in (401, 403):
        advice = "give its identity the role Storage Blob Data Contributor, or look at the key"
        return Failure("storage_refused", f"the blob storage does not let the app in: {advice}")
    answered = f"the blob storage answered {status} {getattr(error, 'error_code', None) or ''}"
    if status is None or status >= 500 or status in _TRY_AGAIN:
        return Failure("storage_unavailable", f"{answered} about {what}", retriable=True)
    return Failure("storage_refused", f"{answered} about {what}")


def _named() -> tuple[str, str]:
    """The setting that names the account, and its value."""
    for setting in SETTINGS:
        for name in (f"{setting}__blobServiceUri", setting):
            if address := os.environ.get(name):
                return name, address
        if account := os.environ.get(f"{setting}__accountName"):
            return f"{setting}__accountName", f"https://{account}.blob.core.windows.net"
    advice = "set it to the connection string of a storage account"
    raise Failure("not_configured", f"the setting {SETTINGS[-1]} is missing: {advice}")


def _opened(setting: str, address: str) -> _Account:
    # The orchestrator retries. The retries of the client would take a minute before that.
    options: dict[str, Any] = {
        "retry_total": 0,
        "connection_timeout": _CONNECT_SECONDS,
        "read_timeout": _READ_SECONDS,
        "max_single_put_size": _BLOCK_BYTES,
        "max_block_size": _BLOCK_BYTES,
        "max_single_get_size": _BLOCK_BYTES,
    }
    setting, _, is_identity = setting.partition("__")
    if not is_identity:
        try:
            service = BlobServiceClient.from_connection_string(address, **options)
        except ValueError as error:
            advice = "set it to the connection string of a storage account"
            message = f"the setting {setting} is not a connection string: {advice}"
            raise Failure("not_configured", message) from error
        return _Account(address, service)

    # A quarter of a second to import, and only Azure needs it.
    from azure.identity.aio import DefaultAzureCredential

    client_id = os.environ.get(f"{setting}__clientId")
    identity = DefaultAzureCredential(managed_identity_client_id=client_id)
    return _Account(address, BlobServiceClient(address, identity, **options), identity)
