"""For comparison: the same workloads on `durabletask`, with its in-memory backend for tests."""

import contextlib
import logging
import socket
from collections.abc import Generator, Iterator
from typing import Any

from durabletask.client import TaskHubGrpcClient
from durabletask.entities import EntityContext, EntityInstanceId
from durabletask.task import ActivityContext, OrchestrationContext, Task, when_all
from durabletask.testing import create_test_backend
from durabletask.worker import TaskHubGrpcWorker

Steps = Generator[Any, Any, Any]


def square(_: ActivityContext, number: int) -> int:
    return number * number


def chain(context: OrchestrationContext, n: int) -> Steps:
    total = 0
    for number in range(n):
        total += yield context.call_activity(square, input=number)
    return total


def fan_out(context: OrchestrationContext, n: int) -> Steps:
    tasks: list[Task[Any]] = [context.call_activity(square, input=k) for k in range(n)]
    return sum((yield when_all(tasks)))


def count_up(context: OrchestrationContext, n: int) -> Steps:
    entity, count = EntityInstanceId("counter", context.instance_id), 0
    for _ in range(n):
        count = yield context.call_entity(entity, "add", 1)
    return count


def counter(context: EntityContext, more: int) -> int:
    count: int = context.get_state(int, 0) + more
    context.set_state(count)
    return count


class DurableTask:
    """Runs the workloads with the client of durabletask."""

    def __init__(self, client: TaskHubGrpcClient) -> None:
        self._client = client

    def run(self, name: str, n: int) -> None:
        self.run_many(name, n, 1)

    def run_many(self, name: str, n: int, instances: int) -> None:
        """Start this many at once and wait for all."""
        ids = [self._client.schedule_new_orchestration(name, input=n) for _ in range(instances)]
        for instance_id in ids:
            state = self._client.wait_for_orchestration_completion(instance_id, timeout=300)
            assert state is not None, instance_id
            assert state.runtime_status.name == "COMPLETED", state


@contextlib.contextmanager
def durabletask() -> Iterator[DurableTask]:
    """Create its backend, worker and client in this process, as its own tests do."""
    # By default it logs a line for each episode, which takes time.
    quiet = logging.getLogger("bench.durabletask")
    quiet.setLevel(logging.CRITICAL)
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    backend = create_test_backend(port=port)
    address = f"127.0.0.1:{port}"
    with TaskHubGrpcWorker(host_address=address, logger=quiet) as worker:
        for function in (chain, fan_out, count_up):
            worker.add_orchestrator(function)
        worker.add_activity(square)
        worker.add_entity(counter)
        worker.start()
        try:
            yield DurableTask(TaskHubGrpcClient(host_address=address, logger=quiet))
        finally:
            worker.stop()
            backend.stop()
