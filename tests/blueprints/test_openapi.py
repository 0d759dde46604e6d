"""The app serves its description."""

from durablehost.testing import ManualHub
from tests.described import DOCUMENT


async def test_the_app_serves_the_document(hub: ManualHub) -> None:
    answer = await hub.request("GET", "/api/openapi.json")

    assert answer.status == 200
    assert answer.headers["Content-Type"] == "application/json"
    assert answer.json() == DOCUMENT
