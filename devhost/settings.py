"""What `host.json` and `local.settings.json` say."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, Literal


@dataclass(frozen=True)
class Settings:
    """The settings that mean something to devhost, as `host.json` has them."""

    hub_name: str = "TestHubName"
    route_prefix: str = "api"
    connection_name: str = "Storage"
    max_concurrent_activities: int = 20
    max_concurrent_orchestrators: int = 20
    max_concurrent_entities: int = 20
    default_version: str | None = None
    version_match: Literal["None", "Strict", "CurrentOrOlder"] = "CurrentOrOlder"
    version_failure: Literal["Reject", "Fail"] = "Reject"
    may_replace_running: bool = False  # overridableExistingInstanceStates: AnyState
    log_levels: Mapping[str, str] = field(default_factory=dict)
    unused: tuple[str, ...] = ()  # settings devhost read and does nothing with
    raw: Mapping[str, Any] = field(default_factory=dict)  # host.json, overrides and %NAME% applied
