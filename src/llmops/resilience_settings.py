"""The shape of the section ``resilience``: retries, breakers, pools and shedding.

Field for field what `resilience.rules` holds; ``resilience`` checks nothing again.
"""

from typing import Literal

from pydantic import BaseModel, ConfigDict, Field, model_validator

StrategyName = Literal["ordered", "weighted", "least_busy", "lowest_latency", "cheapest"]


class _Section(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True)


class RetrySettings(_Section):
    """Further attempts of a call. Their number is `llm.max_retries`."""

    backoff_seconds: float = Field(
        0.05,
        ge=0,
        le=10,
        description="A pause before another attempt at the same place is random up to this; it doubles.",
    )
    throttled_backoff_seconds: float = Field(1.0, ge=0, le=60, description="The same after 429 and overload.")
    max_wait_seconds: float = Field(
        20.0, ge=0, le=300, description="Longest pause; a `Retry-After` beyond it is not waited for."
    )
    budget_share: float = Field(
        0.2, ge=0, le=1, description="Retries in 10 s, as a share of a model's calls; failover to a sound one is free."
    )
    budget_per_second: float = Field(3.0, ge=0, le=10_000, description="Retries per second beside that share.")
    stamina: int = Field(
        100,
        ge=2,
        le=1_000_000,
        description="After half as many failed attempts nothing is retried; four successes give one back.",
    )


class BreakerSettings(_Section):
    """When a deployment is left alone, and for how long. Judged by real calls alone; nothing is sent to find out."""

    failures_in_a_row: int = Field(5, ge=1, le=1000, description="Failures in a row that eject.")
    failure_share: float = Field(0.5, gt=0, le=1, description="Share of failed calls in the window that ejects.")
    least_calls: int = Field(20, ge=1, le=100_000, description="Calls in the window before the share counts.")
    window_seconds: float = Field(30.0, ge=1, le=3600, description="Length of the window.")
    ejection_seconds: float = Field(30.0, gt=0, le=3600, description="First ejection; the n-th is n times as long.")
    max_ejection_seconds: float = Field(300.0, gt=0, le=86_400, description="Longest ejection.")
    ejection_jitter: float = Field(
        0.1, ge=0, le=0.5, description="Ejections are longer or shorter by up to this share."
    )
    successes_to_close: int = Field(3, ge=1, le=100, description="Probes, one at a time, that must succeed after it.")
    cooldown_seconds: float = Field(
        1.0, gt=0, le=300, description="Pause after a 429 without `Retry-After`; doubles, up to `ejection_seconds`."
    )
    max_cooldown_seconds: float = Field(300.0, gt=0, le=3600, description="Longest pause, whatever `Retry-After` says.")
    credential_probe_seconds: float = Field(
        300.0, ge=1, le=86_400, description="How often a refused credential is tried again; a reload tries at once."
    )
    forbidden_in_a_row: int = Field(
        3, ge=1, le=1000, description="Answers 403 until a credential counts as refused; of 401 one is enough."
    )

    @model_validator(mode="after")
    def _in_order(self) -> "BreakerSettings":
        if self.ejection_seconds > self.max_ejection_seconds:
            raise ValueError(
                f"ejection_seconds {self.ejection_seconds:g} is more than max_ejection_seconds "
                f"{self.max_ejection_seconds:g}"
            )
        if self.cooldown_seconds > self.max_cooldown_seconds:
            raise ValueError(
                f"cooldown_seconds {self.cooldown_seconds:g} is more than max_cooldown_seconds "
                f"{self.max_cooldown_seconds:g}"
            )
        return self


class PoolSettings(_Section):
    """Calls under way at a time: at a deployment (found out by itself, from its refusals) and of a tenant."""

    initial: int = Field(
        64, ge=1, le=1_000_000, description="Places that the first 429 or 503 takes its cut from, or more if in use."
    )
    minimum: int = Field(4, ge=1, le=1_000_000, description="Places that it never falls below.")
    maximum: int = Field(2048, ge=1, le=1_000_000, description="Places that it never grows beyond.")
    decrease: float = Field(0.7, gt=0, lt=1, description="What is left of them after a 429 or 503.")
    per_tenant: int | None = Field(
        None,
        ge=1,
        le=1_000_000,
        description="Calls under way of each tenant: a short form of a rule in `limits.rules`; default: not bounded.",
    )

    @model_validator(mode="after")
    def _in_order(self) -> "PoolSettings":
        if not self.minimum <= self.initial <= self.maximum:
            raise ValueError(
                f"minimum {self.minimum}, initial {self.initial} and maximum {self.maximum} are not in this order"
            )
        return self


class OverloadSettings(_Section):
    """When this process refuses calls, the lowest priority first, because it has too much to do."""

    max_lag_seconds: float = Field(0.05, ge=0.002, le=10, description="Average lag of the event loop that is too much…")
    patience_seconds: float = Field(1.0, ge=0, le=60, description="…when it lasts this long.")
    max_memory_share: float = Field(0.85, ge=0.1, le=1, description="Resident share of the memory limit.")
    max_calls: int | None = Field(None, ge=1, le=1_000_000, description="Calls under way; default: not bounded.")
    reserved_share: float = Field(0.2, ge=0, le=0.9, description="Share of `max_calls` for high priority alone.")


class ProbeSettings(_Section):
    """Calls that are made only to find out whether a deployment that is left alone is back. They cost money."""

    enabled: bool = Field(False, description="Off: nothing is ever sent just to find out.")
    per_hour: int = Field(12, ge=1, le=3600, description="Most probes in any hour, divided among the workers.")
    timeout_seconds: float = Field(30.0, gt=0, le=600, description="How long one is waited for.")


class ResilienceSettings(_Section):
    """What happens when upstreams fail, or the gateway has too much to do."""

    enabled: bool = Field(True, description="Off: one attempt, at the first deployment (or by weight).")
    retries: RetrySettings = RetrySettings()
    breaker: BreakerSettings = BreakerSettings()
    pools: PoolSettings = PoolSettings()
    overload: OverloadSettings = OverloadSettings()
    probes: ProbeSettings = ProbeSettings()
