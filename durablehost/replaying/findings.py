"""What a check of a recording can find, each with what to do about it."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final, Literal

from durablehost.app.source import relative_place
from durablehost.hub.history import Event

Verdict = Literal["fails", "waits", "silent", "unstable", "fits"]

# The worst first. `unstable`: two runs of the same code over the same history differ.
VERDICTS: Final[tuple[Verdict, ...]] = ("fails", "waits", "unstable", "silent", "fits")
MEANINGS: Final[dict[Verdict, str]] = {
    "fails": "the host would end the instance as Failed",
    "waits": "the instance would wait for ever, and the host says nothing",
    "unstable": "the code does not do the same in every replay",
    "silent": "the instance would go on, and the host would not notice the difference",
    "fits": "the instance would go on as it was recorded",
}
REMEDIES: Final[dict[Verdict, str]] = {
    "fails": "give the change a version and branch by `context.version`, register the changed"
    " orchestrator under a new name beside the old one, or deploy when the running instances have"
    " ended",
    "waits": "correct the name, or keep the function until the running instances have ended",
    "unstable": "take times from `context.current_utc_datetime` and ids from `context.new_uuid()`,"
    " sort sets, and read settings and random values in an activity",
    "silent": "branch by `context.version` if running instances must keep the old behaviour;"
    " accept it with `--update` if they need not",
}


@dataclass(frozen=True)
class Finding:
    """A difference between a recording and what the code of today does."""

    verdict: Verdict
    key: str  # names it in `accepted`; the same in every check
    event: str  # where in the history
    recorded: str
    now: str
    place: str = ""  # the line of the orchestrator, if known

    @property
    def remedy(self) -> str:
        return REMEDIES[self.verdict]


def verdict_of(findings: Sequence[Finding]) -> Verdict:
    """The worst verdict."""
    return min((each.verdict for each in findings), key=VERDICTS.index, default="fits")


def lines_of(instance_id: str, finding: Finding) -> list[str]:
    """The finding in words for people."""
    place = relative_place(finding.place)
    return [
        f"{finding.verdict}: {MEANINGS[finding.verdict]}",
        f"  instance  {instance_id}",
        f"  event     {finding.event}",
        f"  recorded  {finding.recorded}",
        f"  now       {finding.now}{f' ({place})' if place else ''}",
        f"  remedy    {finding.remedy}",
        f"  key       {finding.key}",
    ]


def step_of(event: Event) -> str:
    """Where in the history: an event that scheduled a task."""
    return f"step {event['EventId']}, scheduled at {event['Timestamp']}"
