"""The numbers that the decisions go by, with their defaults.

The configuration has the same fields (`resilience_settings`), with ``_seconds`` in their names where these have ``_s``;
``msgspec.convert(section.model_dump(), …)`` makes one of the other. Sources of the defaults: Finagle's retry budgets
(share and floor), gRPC's retry throttle (stamina), AWS's 2026 retry mode (back-off), Envoy's outlier detection
(failures in a row, ejection times its number, its cap and jitter), AIMD as in Netflix's concurrency limits.
"""

import msgspec


def _name(field: str) -> str:
    return f"{field.removesuffix('_s')}_seconds" if field.endswith("_s") else field


class RetryRules(msgspec.Struct, frozen=True, kw_only=True, rename=_name):
    """How often and when a failed attempt is followed by another."""

    max_attempts: int = 3
    """In total, over retries and failover."""
    backoff_s: float = 0.05
    throttled_backoff_s: float = 1.0
    """After 429 and overload."""
    max_wait_s: float = 20.0
    """Longest wait before an attempt; what asks for more patience is not waited for."""
    budget_share: float = 0.2
    budget_per_second: float = 3.0
    stamina: int = 100


class BreakerRules(msgspec.Struct, frozen=True, kw_only=True, rename=_name):
    """When a deployment is left alone, and for how long."""

    failures_in_a_row: int = 5
    failure_share: float = 0.5
    least_calls: int = 20
    window_s: float = 30.0
    ejection_s: float = 30.0
    max_ejection_s: float = 300.0
    ejection_jitter: float = 0.1
    successes_to_close: int = 3
    cooldown_s: float = 1.0
    """After a 429 that names no time; doubled each time until a success, up to ``ejection_s``."""
    max_cooldown_s: float = 300.0
    credential_probe_s: float = 300.0
    forbidden_in_a_row: int = 3
    """403 until the credential counts as dead: some providers say 403 of a single request. 401 needs only one."""


class PoolRules(msgspec.Struct, frozen=True, kw_only=True, rename=_name):
    """How many calls may be under way at a deployment."""

    initial: int = 64
    """What the first decrease starts from, where less was under way."""
    minimum: int = 4
    maximum: int = 2048
    decrease: float = 0.7


class OverloadRules(msgspec.Struct, frozen=True, kw_only=True, rename=_name):
    """When the gateway itself has too much to do."""

    max_lag_s: float = 0.05
    patience_s: float = 1.0
    """How long the lag may last before anything is refused."""
    max_memory_share: float = 0.85
    max_calls: int | None = None
    """Calls under way that this process can carry; None: not bounded."""
    reserved_share: float = 0.2
    """Of ``max_calls``, what only high priority may use."""
