"""The shape of the section ``history``: how long calls and their figures are kept."""

from pydantic import BaseModel, ConfigDict, Field


class HistorySettings(BaseModel):
    """How long calls and their figures are kept. Sums by day, of usage and of figures, stay for ever."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    calls_days: float = Field(
        400.0, gt=0, le=36_500, description="How long each call's row, its trace, is kept in the database."
    )
    max_calls: int = Field(
        50_000_000, ge=1, description="About how many calls are kept; beyond, the oldest days go first."
    )
    minutes_days: float = Field(14.0, ge=1, le=36_500, description="How long figures are kept by the minute.")
    hours_days: float = Field(400.0, ge=1, le=36_500, description="How long figures are kept by the hour.")
