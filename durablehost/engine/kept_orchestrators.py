"""The running orchestrators that are kept between episodes, within a bound on memory."""

from collections import OrderedDict
from typing import Final

from durablehost.episodes.kept_orchestrator import KeptOrchestrator
from durablehost.hub.backend import OrchestrationWork

_MOST_BYTES: Final = 64_000_000


class KeptOrchestrators:
    """Those that were kept last. All methods are for the thread of the work loop."""

    def __init__(self) -> None:
        self._kept: OrderedDict[str, KeptOrchestrator] = OrderedDict()
        self._bytes = 0

    def take(self, work: OrchestrationWork) -> KeptOrchestrator | None:
        """The orchestrator of an instance, if it stands where the history ends."""
        kept = self._kept.pop(work.instance.execution_id, None)
        if kept is None:
            return None
        self._bytes -= kept.size
        return kept if kept.fits(work) else None

    def keep(self, execution_id: str, kept: KeptOrchestrator) -> None:
        """Keep an orchestrator after its episode was committed."""
        self._kept[execution_id] = kept
        self._bytes += kept.size
        while self._bytes > _MOST_BYTES:
            _, oldest = self._kept.popitem(last=False)
            self._bytes -= oldest.size
