"""The interval between two sweeps of the ledger, as the event that changes it carries it."""

from pydantic import BaseModel, ConfigDict, Field

from activities import limits


class IntervalChange(BaseModel):
    """The data of the event IntervalChanged."""

    model_config = ConfigDict(extra="forbid", strict=True, frozen=True)

    every_minutes: int = Field(ge=1, le=limits.SWEEP_MINUTES.most)
