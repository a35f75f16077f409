"""The shape of limits and budgets, in the configuration and at ``/api/limits`` and ``/api/budgets``."""

import re
from decimal import Decimal
from typing import Annotated, Any, Literal

from pydantic import BaseModel, ConfigDict, Field, field_validator, model_validator

_DIMENSION = re.compile(r"tenant|key|user|ip|model|tag:[A-Za-z0-9_.-]{1,40}")
_MAX_TOKENS = 100_000_000
_MAX_QUOTA = 10**13
_MAX_USD = 1_000_000
BOUNDS = (
    "requests_per_second",
    "requests_per_minute",
    "tokens_per_minute",
    "concurrent_calls",
    "tokens_per_day",
    "tokens_per_month",
)
"""What a limit may bound, by the names of its settings."""

Pattern = Annotated[str, Field(min_length=1, max_length=200)]


class _Rule(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True)

    name: str = Field(
        "",
        max_length=80,
        pattern=r"^[A-Za-z0-9 _.:-]*$",
        description="Shown where it refuses; names the counters, so keep it while their counts matter.",
    )
    per: list[str] = Field(
        [],
        max_length=6,
        description="Each value has a count of its own: `tenant`, `key`, `user`, `ip`, `model`, `tag:<name>`, or "
        "several of them. Empty: one count for all.",
    )
    where: dict[Literal["tenant", "key", "user", "ip", "model"], Pattern] = Field(
        {}, description="Only calls that fit: a value, or a pattern with `*`."
    )

    @field_validator("per", mode="before")
    @classmethod
    def _one_or_several(cls, value: Any) -> Any:
        return [value] if isinstance(value, str) else value

    @field_validator("per")
    @classmethod
    def _known_dimensions(cls, value: list[str]) -> list[str]:
        for each in value:
            if not _DIMENSION.fullmatch(each):
                raise ValueError(f"{each!r} is none of tenant, key, user, ip, model, tag:<name>")
        if len(set(value)) != len(value):
            raise ValueError("names something twice")
        return value

    @field_validator("where")
    @classmethod
    def _printable(cls, value: dict[str, str]) -> dict[str, str]:
        for each in value.values():  # they are part of counters' names
            if not each.isprintable():
                raise ValueError(f"{each[:40]!r} holds characters that cannot be shown")
        return value


class LimitRuleSettings(_Rule):
    """A limit on how much may be asked for, in any of five measures; a call must fit into all of them."""

    requests_per_second: float | None = Field(None, ge=0.001, le=1_000_000, description="Rate of calls.")
    requests_per_minute: int | None = Field(None, ge=1, le=60_000_000, description="Rate of calls.")
    burst: int | None = Field(
        None, ge=1, le=1_000_000, description="Calls at once under either rate; default: its whole second or minute."
    )
    tokens_per_minute: int | None = Field(None, ge=1, le=_MAX_TOKENS, description="Rate of tokens, in and out.")
    concurrent_calls: int | None = Field(None, ge=1, le=1_000_000, description="Calls under way at the same time.")
    tokens_per_day: int | None = Field(None, ge=1, le=_MAX_QUOTA, description="Tokens in a calendar day (UTC).")
    tokens_per_month: int | None = Field(None, ge=1, le=_MAX_QUOTA, description="Tokens in a calendar month (UTC).")
    shadow: bool = Field(False, description="Measure and report what would be refused; refuse nothing.")

    @model_validator(mode="after")
    def _limits_something(self) -> "LimitRuleSettings":
        if all(getattr(self, bound) is None for bound in BOUNDS):
            raise ValueError(f"limits nothing: give one of {', '.join(BOUNDS)}")
        if self.burst is not None and self.requests_per_second is None and self.requests_per_minute is None:
            raise ValueError("burst goes with requests_per_second or requests_per_minute")
        return self


class BudgetSettings(_Rule):
    """A bound on money in a calendar window."""

    usd: Decimal = Field(gt=0, le=_MAX_USD, decimal_places=9, description="The amount in US dollars.")
    window: Literal["day", "week", "month", "total"] = Field(
        "month", description="Calendar window (UTC; weeks begin on Monday)."
    )
    hard: bool = Field(True, description="Refuse calls that do not fit (402). Otherwise only say so.")

    @field_validator("usd", mode="before")
    @classmethod
    def _exact(cls, value: Any) -> Any:
        """What was written, not what a binary fraction makes of it."""
        return str(value) if isinstance(value, float) else value
