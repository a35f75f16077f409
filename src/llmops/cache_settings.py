"""The shape of the section ``cache``: which answers are kept, for how long and how many."""

from pydantic import BaseModel, ConfigDict, Field

from .semantic_settings import SemanticSettings


class _Section(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True)


class CacheSettings(_Section):
    """Answers that need not be asked for again. Kept apart by tenant, and in Redis where there is one."""

    enabled: bool = Field(False, description="Keep answers, and give them to identical calls of the same tenant.")
    ttl_seconds: float = Field(300.0, gt=0, le=31_536_000, description="How long an answer is given out.")
    max_entries: int = Field(1000, ge=1, le=10_000_000, description="Answers kept in this process; the oldest go.")
    max_megabytes: int = Field(256, ge=1, le=1_000_000, description="Memory of the answers kept in this process.")
    max_entry_kilobytes: int = Field(512, ge=1, le=100_000, description="Larger answers are passed on and not kept.")
    stale_seconds: float = Field(
        0.0, ge=0, le=31_536_000, description="How long after that an answer is still kept for the last resort `stale`."
    )
    semantic: SemanticSettings = SemanticSettings()
