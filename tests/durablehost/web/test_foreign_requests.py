"""Pages of other sites, open in a developer's browser, cannot manage a hub on this machine."""

from collections.abc import Iterator
from pathlib import Path

import azure.durable_functions as df
import pytest
from aiohttp.test_utils import TestClient, TestServer

from durablehost.settings import Settings
from durablehost.web.app import RPC, rpc_app
from durablehost.web.management import Management
from tests.durablehost.apps import write_app
from tests.durablehost.engine.working import working
from tests.durablehost_process import Started, running

INSTANCES = "/runtime/webhooks/durabletask/instances"
START = "/runtime/webhooks/durabletask/orchestrators/waiting/foreign"


@pytest.fixture(scope="module")
def host(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Started]:
    folder = write_app(tmp_path_factory.mktemp("apps") / "app")
    (folder / "local.settings.json").write_text(
        '{"IsEncrypted": false, "Host": {"CORS": "https://mine.example"}}'
    )
    with running(folder, environ={"WEBSITE_HOSTNAME": "dev.example"}) as started:
        yield started


@pytest.mark.parametrize("path", [INSTANCES, "/admin/functions", "/"])
def test_the_name_of_another_host_is_refused(host: Started, path: str) -> None:
    port = host.base.rpartition(":")[2]
    names = ("evil.example", f"127.0.0.1.evil.example:{port}", "x@localhost", "[::1", "")
    own = ("localhost", "app.localhost:7071", f"127.0.0.2:{port}", "[::1]:7071", "dev.example:443")

    refused = [host.ask("GET", path, headers={"Host": name}).status for name in names]
    answered = [host.ask("GET", path, headers={"Host": name}).status for name in own]

    assert set(refused) <= {400, 421}
    assert answered == [200] * len(own)


@pytest.mark.parametrize(
    "headers",
    [
        {"Origin": "https://evil.example"},
        {"Origin": "null"},
        {"Origin": "http://localhost:3000"},
        {"Sec-Fetch-Site": "cross-site", "Sec-Fetch-Mode": "no-cors"},
        {"Sec-Fetch-Site": "cross-site", "Sec-Fetch-Mode": "navigate"},
    ],
)
def test_a_page_of_another_site_starts_nothing(host: Started, headers: dict[str, str]) -> None:
    answer = host.ask("POST", START, "{}", {"Content-Type": "text/plain", **headers})

    assert (answer.status, answer.body) == (403, b"")
    assert host.manage("GET", "/instances/foreign").status == 404


def test_own_pages_allowed_origins_links_and_routes_of_the_app_are_served(host: Started) -> None:
    link = {"Sec-Fetch-Site": "cross-site", "Sec-Fetch-Mode": "navigate"}
    asked = [
        ("GET", INSTANCES, {"Origin": host.base}),
        ("GET", INSTANCES, {"Origin": "https://mine.example"}),
        ("GET", INSTANCES, link),
        ("GET", "/api/hello/Ada", {"Origin": "https://evil.example", "Host": "evil.example"}),
    ]

    answers = [host.ask(method, path, headers=headers).status for method, path, headers in asked]

    assert answers == [200] * len(asked)


@pytest.mark.parametrize(
    "headers", [{"Origin": "https://evil.example"}, {"Sec-Fetch-Site": "cross-site"}, {}]
)
async def test_pages_of_other_sites_cannot_use_the_endpoint_of_the_durable_clients(
    headers: dict[str, str],
) -> None:
    settings = Settings()
    async with working(df.DFApp()) as work:
        management = Management(work.client, work.engine.saved, "Hub", "Storage", "")
        async with TestClient(TestServer(rpc_app(settings, management))) as caller:
            answer = await caller.get(f"{RPC}/instances", headers=headers)
            foreign = await caller.get(f"{RPC}/instances", headers={"Host": "evil.example"})

    assert answer.status == (403 if headers else 200)
    assert foreign.status == 421


def test_a_refusal_is_logged_without_the_key(host: Started) -> None:
    host.ask("GET", f"{INSTANCES}?code=the-key", headers={"Origin": "https://other.example"})

    line = host.output.wait_for("a page of https://other.example asked for it")[0]

    assert line
    assert "the-key" not in host.text


def test_an_open_address_without_keys_is_warned_about(tmp_path: Path) -> None:
    with running(write_app(tmp_path / "app"), "--host", "0.0.0.0") as host:
        assert "without a key. Use --auth KEYS.json" in host.text
        assert host.ask("GET", INSTANCES, headers={"Host": "machine.example"}).status == 200
