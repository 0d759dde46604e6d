"""The settings of queue and blob triggers in `host.json`, below `extensions`."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import timedelta
from pathlib import Path
from typing import Any

from durablehost.app.ncrontab import parse_time_span
from durablehost.settings.host_json import HostJson

_QUEUES = "extensions.queues"
_BLOBS = "extensions.blobs"
_MOST_AT_ONCE = 32  # messages that the storage returns in one answer


@dataclass(frozen=True)
class QueueOptions:
    """`extensions.queues`; the defaults are those of `func start`."""

    batch_size: int = 16
    new_batch_threshold: int = 8
    max_dequeue_count: int = 5
    visibility_timeout: timedelta = timedelta(0)  # before a failed message is tried again
    max_polling_interval: timedelta = timedelta(seconds=2)
    base64: bool = True  # messageEncoding
    lease: timedelta = timedelta(minutes=10)  # how long a message is hidden while it is worked on


@dataclass(frozen=True)
class TriggerOptions:
    """The settings of `host.json` for triggers."""

    queues: QueueOptions = field(default_factory=QueueOptions)
    max_parallel_blobs: int = 16  # extensions.blobs.maxDegreeOfParallelism
    max_blob_tries: int = 5  # extensions.blobs.poisonBlobThreshold

    @classmethod
    def from_host_json(cls, values: Mapping[str, Any]) -> "TriggerOptions":
        """Read the settings. Raises CannotStart for a value that the host rejects."""
        host = HostJson(Path("host.json"), values)
        batch_size = host.count(f"{_QUEUES}.batchSize") or QueueOptions.batch_size
        if batch_size > _MOST_AT_ONCE:
            allowed = f"a whole number from 1 to {_MOST_AT_ONCE}"
            raise host.wrong(f"{_QUEUES}.batchSize", batch_size, allowed)
        most_tries = host.count(f"{_QUEUES}.maxDequeueCount")
        return cls(
            QueueOptions(
                batch_size=batch_size,
                new_batch_threshold=_threshold(host, batch_size),
                max_dequeue_count=most_tries or QueueOptions.max_dequeue_count,
                visibility_timeout=_time(host, "visibilityTimeout", "00:00:00"),
                max_polling_interval=_time(host, "maxPollingInterval", "00:00:02"),
                base64=host.one_of(f"{_QUEUES}.messageEncoding", ("Base64", "None")) != "None",
            ),
            host.count(f"{_BLOBS}.maxDegreeOfParallelism") or cls.max_parallel_blobs,
            host.count(f"{_BLOBS}.poisonBlobThreshold") or cls.max_blob_tries,
        )


def _threshold(host: HostJson, batch_size: int) -> int:
    path = f"{_QUEUES}.newBatchThreshold"
    value = host.value(path)
    if value is None:
        return batch_size // 2
    return 0 if str(value) == "0" else host.count(path) or 0


def _time(host: HostJson, name: str, standard: str) -> timedelta:
    path = f"{_QUEUES}.{name}"
    value = host.value(path)
    time = parse_time_span(standard if value is None else str(value))
    if time is None or time < timedelta(0):
        raise host.wrong(path, value, 'a time such as "00:00:30"')
    return time
