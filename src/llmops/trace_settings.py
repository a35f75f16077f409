"""The shape of the section ``traces``: what comes in from other programs, and how long it is kept."""

from typing import Literal

from pydantic import BaseModel, ConfigDict, Field

from .capture_settings import CaptureSettings


class _Section(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True)


class TraceSettings(_Section):
    """Traces: OTLP at `/v1/traces`, and how long spans are kept."""

    enabled: bool = Field(True, description="Take spans at `/v1/traces`.")
    body_limit_megabytes: int = Field(
        64, ge=1, le=1000, description="Largest export, unpacked; packed, `server.body_limit_bytes` holds."
    )
    spool_megabytes: int = Field(
        2000,
        ge=1,
        le=1_000_000,
        description="Spans that may wait on disk for the database, three quarters of it one tenant's; beyond: 503.",
    )
    spool_fsync: bool = Field(
        False,
        description="Answer for spans when they are on the disk: they survive a power cut, not only the death of the "
        "gateway. Each export waits for the disk.",
    )
    retention_days: float = Field(30.0, gt=0, le=36_500, description="How long spans and traces are kept.")
    max_gigabytes: float = Field(
        50.0, gt=0, le=1_000_000, description="About how much room spans may take; beyond, the oldest go first."
    )
    mask_after_days: float | None = Field(
        None,
        ge=0,
        le=36_500,
        description="After this time captured text goes from the database, of spans and calls; 0: it is never stored.",
    )
    semconv: Literal["1.41", "latest"] = Field(
        "1.41",
        description="OpenTelemetry's GenAI names in the gateway's own spans: what most tools read, or the newest.",
    )
    capture: CaptureSettings = CaptureSettings()

    @property
    def keeps_texts(self) -> bool:
        """Whether captured texts go to the database at all."""
        return self.mask_after_days != 0
