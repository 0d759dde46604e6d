"""Creates the triggers that use a storage."""

from collections.abc import Mapping

from durablehost.app.functions import Function
from durablehost.calling.blob_path import parse_path
from durablehost.calling.connections import Connections
from durablehost.settings.percent_names import resolve
from durablehost.triggers.blob_events import BlobEventTrigger
from durablehost.triggers.blob_runs import BlobRuns
from durablehost.triggers.blobs import BlobTrigger
from durablehost.triggers.options import TriggerOptions
from durablehost.triggers.queues import QueueTrigger
from durablehost.triggers.running import Invoke
from durablehost.triggers.state import TriggerState


class StorageTriggers:
    """Queue and blob triggers, with the connections that they share."""

    def __init__(
        self,
        invoke: Invoke,
        environ: Mapping[str, str],
        state: TriggerState,
        options: TriggerOptions,
    ) -> None:
        self._invoke = invoke
        self._environ = environ
        self._state = state
        self._options = options
        self._connections = Connections(environ)

    def queue(self, function: Function) -> QueueTrigger:
        """Raises ValueError, which says what the function lacks."""
        queue = resolve(str(function.trigger["queueName"]), self._environ).lower()
        service = self._connections.queues(str(function.trigger.get("connection") or ""))
        return QueueTrigger(function, queue, service, self._invoke, self._options.queues)

    def blob(self, function: Function) -> BlobTrigger:
        """Raises ValueError, which says what the function lacks."""
        path = parse_path(resolve(str(function.trigger["path"]), self._environ))
        connection = str(function.trigger.get("connection") or "")
        container = self._connections.blobs(connection).get_container_client(path.container)
        return BlobTrigger(path, container, self._blob_runs(function), self._state, self._options)

    def blob_events(self, function: Function) -> BlobEventTrigger:
        """Raises ValueError, which says what the function lacks."""
        return BlobEventTrigger(self._blob_runs(function), self._state, self._options)

    def _blob_runs(self, function: Function) -> BlobRuns:
        connection = str(function.trigger.get("connection") or "")
        blobs, queues = self._connections.blobs(connection), self._connections.queues(connection)
        return BlobRuns(function, blobs, queues, self._invoke)

    async def close(self) -> None:
        await self._connections.close()
