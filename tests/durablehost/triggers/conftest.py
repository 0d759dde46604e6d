"""What tests of blob triggers stand on."""

from collections.abc import AsyncIterator

import pytest_asyncio

from tests.durablehost.triggers.containers import Container


@pytest_asyncio.fixture
async def container(azurite_connection: str) -> AsyncIterator[Container]:
    container = Container(azurite_connection)
    async with container.client, container.poison:
        await container.client.create_container()
        yield container
