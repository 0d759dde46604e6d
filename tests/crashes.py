"""A crash between any two steps of an instance."""

from collections.abc import AsyncIterator, Awaitable, Callable
from itertools import count

from durablehost.app.functions import FunctionTable
from durablehost.settings import Settings
from durablehost.testing import Crashed, ManualHub


async def every_crash(
    app: FunctionTable,
    run: Callable[[ManualHub], Awaitable[object]],
    settings: Settings | None = None,
) -> AsyncIterator[ManualHub]:
    """Run on a new hub that crashes after one commit; after two; … until it runs through.

    Each hub is given with what was saved before its crash: the test lets it go on.
    """
    for commits in count(1):
        async with ManualHub(app, settings=settings) as hub:
            hub.crash_after(commits)
            try:
                await run(hub)
            except Crashed:
                hub.crash()
                yield hub
                continue
            assert commits > 1, "nothing was committed, so nothing crashed"
            return
