"""A sandbox with a key answers below it only, and otherwise as one without."""

from collections.abc import AsyncIterator

import pytest
from aiohttp.test_utils import TestServer

from sandbox.app import create_app
from tests.sandbox.conftest import Client, Clock

KEY = "a-key"


@pytest.fixture
async def guarded(clock: Clock) -> AsyncIterator[Client]:
    app = create_app(now=clock.now, settle_after=60, key=KEY)
    async with Client(TestServer(app)) as client:
        yield client


@pytest.mark.parametrize("path", ["/", "/orders/PO-1001", "/a-keyy/orders/PO-1001", "/a-ke/"])
async def test_a_request_without_the_key_is_refused(guarded: Client, path: str) -> None:
    assert (await guarded.get(path)).status == 404


async def test_a_request_with_the_key_is_answered(guarded: Client) -> None:
    order = await guarded.get(f"/{KEY}/orders/PO-1001")

    assert (await order.json())["vendor"] == "acme"
    assert (await guarded.get(f"/{KEY}/")).status == 200


async def test_faults_are_named_without_the_key(guarded: Client) -> None:
    switched = await guarded.post(f"/{KEY}/faults", json={"on": "orders", "fail_next": 1})
    statuses = [(await guarded.get(f"/{KEY}/orders/PO-1001")).status for _ in range(2)]

    assert switched.status == 201
    assert statuses == [503, 200]


async def test_the_location_of_the_tax_office_has_the_host_of_the_request(guarded: Client) -> None:
    """App Service ends TLS and says so in a header."""
    headers = {"X-Forwarded-Proto": "https", "Host": "sandbox.example.com"}
    asked = await guarded.post(f"/{KEY}/tax/checks", json={"vat_id": "DE1"}, headers=headers)

    assert asked.headers["Location"] == f"https://sandbox.example.com/{KEY}/tax/checks/1"
