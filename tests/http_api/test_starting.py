"""The same work is one instance, whoever asks for it, when, and how often.

The client here is the SDK's own; what the host answers it is told by each test, in the words of
the recordings, because the races it stands for cannot be had in order.
"""

import json
from collections.abc import AsyncIterator
from typing import Any

import azure.durable_functions as df
import azure.functions as func
import pytest
import pytest_asyncio
from aiohttp import web
from aiohttp.test_utils import TestServer as Server
from azure.durable_functions.models.utils import http_utils

from http_api.problems import Problem
from http_api.starting import start_once

WORK = {"number": "INV-1", "cents": 5}
REQUEST = func.HttpRequest("POST", "https://pay.example/api/invoices?code=secret", body=b"")


class Host:
    """A host on which others start instances while we look."""

    def __init__(self) -> None:
        self.instances: dict[str, dict[str, Any]] = {}
        self.faster: dict[str, Any] | None = None
        self.as_fast: dict[str, Any] | None = None  # both starts are accepted, and this one runs
        self.inputs: list[Any] = []

    @property
    def started(self) -> int:
        return len(self.inputs)

    async def status(self, request: web.Request) -> web.Response:
        found = self.instances.get(request.match_info["id"])
        return web.json_response(found) if found else web.Response(status=404)

    async def start(self, request: web.Request) -> web.Response:
        instance_id = request.match_info["id"]
        if self.faster is not None:
            self.instances[instance_id] = self.faster
            message = "An Orchestration instance with the status Running already exists."
            return web.json_response({"Message": message}, status=409)
        self.inputs.append(json.loads(await request.json()))
        if self.as_fast is not None:
            self.instances[instance_id] = self.as_fast
        return web.json_response({"id": instance_id}, status=202)


def instance(work: object, state: str = "Running") -> dict[str, Any]:
    moment = "2026-01-01T00:00:00Z"
    return {
        "name": "work",
        "instanceId": "i",
        "runtimeStatus": state,
        "input": json.dumps(work),
        "customStatus": None,
        "output": None,
        "createdTime": moment,
        "lastUpdatedTime": moment,
    }


@pytest.fixture
def host() -> Host:
    return Host()


@pytest_asyncio.fixture
async def client(host: Host) -> AsyncIterator[df.DurableOrchestrationClient]:
    app = web.Application()
    app.router.add_get("/instances/{id}", host.status)
    app.router.add_post("/orchestrators/{name}/{id}", host.start)
    async with Server(app) as server:
        binding = {
            "taskHubName": "hub",
            "creationUrls": {},
            "managementUrls": {"id": "ID"},
            "rpcBaseUrl": str(server.make_url("/")),
        }
        yield df.DurableOrchestrationClient(json.dumps(binding))
        await http_utils._close_session()


async def test_new_work_is_started(host: Host, client: df.DurableOrchestrationClient) -> None:
    answer = await start_once(REQUEST, client, "work", "i", WORK)

    assert (answer.status_code, host.started) == (202, 1)
    assert answer.headers["Retry-After"]


@pytest.mark.parametrize(
    ("state", "status"),
    [
        ("Pending", 202),
        ("Running", 202),
        ("Suspended", 202),
        ("Completed", 200),
        ("Failed", 200),
        ("Terminated", 200),
    ],
)
async def test_known_work_is_found_and_not_started(
    host: Host, client: df.DurableOrchestrationClient, state: str, status: int
) -> None:
    host.instances["i"] = instance(WORK, state)

    answer = await start_once(REQUEST, client, "work", "i", dict(reversed(WORK.items())))

    assert (answer.status_code, host.started) == (status, 0)
    assert json.loads(answer.get_body())["runtimeStatus"] == state


async def test_work_is_known_in_every_generation(
    host: Host, client: df.DurableOrchestrationClient
) -> None:
    host.instances["i"] = instance(WORK | {"so_far": {"looks": 20}})

    answer = await start_once(REQUEST, client, "work", "i", WORK)

    assert (answer.status_code, host.started) == (202, 0)


async def test_work_is_known_whatever_the_settings_were(
    host: Host, client: df.DurableOrchestrationClient
) -> None:
    host.instances["i"] = instance(WORK | {"settings": {"at_once": 5}})

    answer = await start_once(REQUEST, client, "work", "i", WORK, settings={"at_once": 20})

    assert (answer.status_code, host.started) == (202, 0)


async def test_new_work_is_started_with_the_settings_of_the_moment(
    host: Host, client: df.DurableOrchestrationClient
) -> None:
    await start_once(REQUEST, client, "work", "i", WORK, settings={"at_once": 20})

    assert host.inputs == [WORK | {"settings": {"at_once": 20}}]


async def test_the_loser_of_a_start_race_gets_the_instance_of_the_winner(
    host: Host, client: df.DurableOrchestrationClient
) -> None:
    host.faster = instance(WORK)

    answer = await start_once(REQUEST, client, "work", "i", WORK)

    assert (answer.status_code, json.loads(answer.get_body())["id"]) == (202, "i")


async def test_the_loser_of_a_start_race_with_other_work_gets_a_conflict(
    host: Host, client: df.DurableOrchestrationClient
) -> None:
    host.faster = instance({"number": "INV-1", "cents": 6})

    with pytest.raises(Problem) as caught:
        await start_once(REQUEST, client, "work", "i", WORK)

    assert (caught.value.status, caught.value.code) == (409, "other_work")


async def test_the_key_of_the_request_is_not_in_the_links(
    host: Host, client: df.DurableOrchestrationClient
) -> None:
    answer = await start_once(REQUEST, client, "work", "i", WORK)

    assert b"secret" not in answer.get_body()
    assert answer.headers["Location"] == "https://pay.example/api/operations/i"


async def test_of_two_starts_in_one_moment_the_one_that_does_not_run_is_told_so(
    host: Host, client: df.DurableOrchestrationClient
) -> None:
    host.as_fast = instance({"number": "INV-1", "cents": 6})

    with pytest.raises(Problem) as caught:
        await start_once(REQUEST, client, "work", "i", WORK)

    assert (caught.value.status, caught.value.code) == (409, "other_work")


async def test_of_two_starts_of_the_same_work_in_one_moment_both_are_accepted(
    host: Host, client: df.DurableOrchestrationClient
) -> None:
    host.as_fast = instance(WORK | {"settings": {"at_once": 5}})

    answer = await start_once(REQUEST, client, "work", "i", WORK, settings={"at_once": 20})

    assert answer.status_code == 202
