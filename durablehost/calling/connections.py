"""Finds the storage of a connection by the rules of the host."""

import contextlib
import importlib
import logging
import re
from collections.abc import Mapping
from typing import Any

from azure.storage.blob.aio import BlobServiceClient
from azure.storage.queue.aio import QueueServiceClient

from durablehost.settings.percent_names import resolve, setting

# Azurite's account; its key is printed in Azurite's documentation and is the same everywhere.
_AZURITE = (
    "DefaultEndpointsProtocol=http;AccountName=devstoreaccount1;AccountKey="
    "Eby8vdM02xNOcqFlqUwJPLlmEtlCDXJ1OUzFT50uSRZ6IFsuFq2UVErCz4I6tq/K1SZFPTOtr/KBHBeksoGMGw==;"
    "BlobEndpoint={proxy}:10000/devstoreaccount1;QueueEndpoint={proxy}:10001/devstoreaccount1"
)
_QUIET = logging.getLogger(f"{__name__}.requests")
_QUIET.setLevel(logging.WARNING)  # a line for each poll would hide the others

_CLIENT_OPTIONS: dict[str, Any] = {
    "api_version": "2021-12-02",  # supported by all Azurite versions of recent years
    "retry_total": 0,  # triggers try again and log it
    "connection_timeout": 5,
    "read_timeout": 30,
    "logger": _QUIET,
}


class Connections:
    """Clients of the storages that triggers name, each created at its first use."""

    def __init__(self, environ: Mapping[str, str]) -> None:
        self._environ = environ
        self._blobs: dict[str, BlobServiceClient] = {}
        self._queues: dict[str, QueueServiceClient] = {}
        self._closing = contextlib.AsyncExitStack()

    def blobs(self, connection: str) -> BlobServiceClient:
        """Raises ValueError, which names the setting that is missing or wrong."""
        if connection not in self._blobs:
            client = self._make(BlobServiceClient, connection, "blob")
            self._blobs[connection] = client
            self._closing.push_async_callback(client.close)
        return self._blobs[connection]

    def queues(self, connection: str) -> QueueServiceClient:
        """Raises ValueError, which names the setting that is missing or wrong."""
        if connection not in self._queues:
            client = self._make(QueueServiceClient, connection, "queue")
            self._queues[connection] = client
            self._closing.push_async_callback(client.close)
        return self._queues[connection]

    async def close(self) -> None:
        await self._closing.aclose()

    def _make(self, kind: Any, connection: str, service: str) -> Any:
        name = resolve(connection, self._environ) or "Storage"
        prefixes = (f"AzureWebJobs{name}", name)
        for prefix in (*prefixes, *(f"ConnectionStrings:{prefix}" for prefix in prefixes)):
            if text := setting(self._environ, prefix):
                return _from_connection_string(kind, prefix, text)
            if uri := self._service_uri(prefix, service):
                return kind(uri, credential=self._credential(prefix), **_CLIENT_OPTIONS)
            if any(known.lower().startswith(f"{prefix}__".lower()) for known in self._environ):
                raise ValueError(
                    f"there is no setting {prefix}__{service}ServiceUri, but other settings of "
                    f"{prefix}. Blob triggers need it for the blob service and the queue service."
                )
        raise ValueError(
            f"there is no setting {' or '.join(prefixes)}. Put it under Values in "
            'local.settings.json: a connection string, or "UseDevelopmentStorage=true" for Azurite.'
        )

    def _service_uri(self, prefix: str, service: str) -> str | None:
        if uri := setting(self._environ, f"{prefix}__{service}ServiceUri"):
            return uri
        if account := setting(self._environ, f"{prefix}__accountName"):
            return f"https://{account}.{service}.core.windows.net"
        return None

    def _credential(self, prefix: str) -> Any:
        try:
            identity = importlib.import_module("azure.identity.aio")
        except ImportError:
            raise ValueError(
                f"{prefix} names a service without a key, which needs the package azure-identity. "
                "Run `pip install azure-identity`, or use a connection string."
            ) from None
        client_id = setting(self._environ, f"{prefix}__clientId")
        credential = identity.DefaultAzureCredential(managed_identity_client_id=client_id)
        self._closing.push_async_callback(credential.close)
        return credential


def _from_connection_string(kind: Any, prefix: str, text: str) -> Any:
    parts = dict(part.partition("=")[::2] for part in text.split(";"))
    if re.fullmatch("true", parts.get("UseDevelopmentStorage", ""), re.IGNORECASE):
        proxy = parts.get("DevelopmentStorageProxyUri", "http://127.0.0.1").rstrip("/")
        text = _AZURITE.format(proxy=proxy)
    try:
        return kind.from_connection_string(text, **_CLIENT_OPTIONS)
    except ValueError as error:
        # The message must not contain the text, which has a key.
        raise ValueError(
            f"the setting {prefix} is not the connection string of a storage account ({error}). "
            "Copy it again from the account's access keys."
        ) from None
