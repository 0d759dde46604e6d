"""Human approval: a large payment on which one of three people has voted."""

from durablehost.testing import ManualHub
from tests.approving import ID, LARGE, LEAD, ask, decide, link
from tests.outside import Sandbox


async def record_payment_approval(hub: ManualHub, sandbox: Sandbox) -> None:
    await ask(hub, **LARGE)
    await decide(hub, await link(sandbox, LEAD))

    hub.record(ID, "one-vote")
