"""The shape of the section ``redis``: where the shared counters are, and what happens while they are out of reach."""

from typing import Literal

from pydantic import BaseModel, ConfigDict, Field, field_validator


class RedisSettings(BaseModel):
    """Counters that several gateway processes share; see [several processes](../how-to/redis.md)."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    url: str | None = Field(
        None, description="`redis://`, `rediss://` (TLS) or `unix://`. Without one each process counts by itself."
    )
    namespace: str = Field(
        "llmops",
        pattern=r"^[A-Za-z0-9_.-]{1,64}$",
        description="Keys begin with `{<namespace>}:`. Gateways that count together have the same.",
    )
    limits_on_loss: Literal["local", "open", "closed"] = Field(
        "local",
        description="Without Redis, limits: each process enforces its share; nobody does; or calls are refused (503).",
    )
    budgets_on_loss: Literal["closed", "open"] = Field(
        "closed", description="Without Redis, calls under a hard budget: refused (503); or let pass and counted later."
    )
    connect_timeout_seconds: float = Field(0.25, gt=0, le=5, description="Time to connect, or Redis is lost.")
    command_timeout_seconds: float = Field(0.25, gt=0, le=5, description="Time for an answer, or Redis is lost.")

    @field_validator("url")
    @classmethod
    def _redis_url(cls, value: str | None) -> str | None:
        if value is not None and not value.startswith(("redis://", "rediss://", "unix://")):
            raise ValueError("must begin with redis://, rediss:// or unix://")
        return value
