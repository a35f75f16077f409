"""Calls for tests of what they are summed up into: any of them, at any minute of some days."""

from typing import Any

import msgspec
from hypothesis import strategies as st

from tests.spend.usage.logs import line

BEGIN_S = 1_795_219_200
"""2026-11-21, 00:00."""
DAYS = 3

times_ms = st.integers(0, DAYS * 86_400_000 - 1).map(lambda after: BEGIN_S * 1000 + after)


class Made(msgspec.Struct, frozen=True):
    """What differs between calls here, as the log says it."""

    at_ms: int
    tenant: str
    model: str
    release_id: str | None
    error: tuple[int, str] | None
    cache: str | None
    latency_ms: float
    ttft_ms: float | None
    prompt: int
    cost_nanousd: int | None
    attempts: int
    json_valid: bool | None
    degraded: str | None
    arm: str | None = None

    def line(self, number: int) -> bytes:
        from llmops.telemetry.record import timestamp

        given: dict[str, Any] = {
            name: getattr(self, name)
            for name in ("tenant", "model", "release_id", "cache", "latency_ms", "ttft_ms", "prompt", "cost_nanousd")
        }
        status, error_type = self.error or (200, None)
        hit = self.cache == "hit"
        return line(
            number,
            **given,
            timestamp=timestamp(self.at_ms / 1000),
            attempts=self.attempts,
            json_valid=self.json_valid,
            degraded=self.degraded,
            status=status,
            error_type=error_type,
            cached=hit,
            saved_nanousd=77 if hit else 0,
            **({"rollout_id": "ro-1", "arm": self.arm} if self.arm is not None else {}),
        )


made = st.builds(
    Made,
    at_ms=times_ms,
    tenant=st.sampled_from(["acme", "beta"]),
    model=st.sampled_from(["large", "small"]),
    release_id=st.sampled_from([None, "r1"]),
    error=st.sampled_from([None, None, None, (429, "rate_limited"), (502, "upstream_error")]),
    cache=st.sampled_from([None, "hit", "miss", "bypass"]),
    latency_ms=st.integers(1, 10**8).map(lambda us: us / 1000),
    ttft_ms=st.none() | st.integers(1, 10**7).map(lambda us: us / 1000),
    prompt=st.integers(0, 10**6),
    cost_nanousd=st.none() | st.integers(0, 10**9),
    attempts=st.integers(0, 3),
    json_valid=st.sampled_from([None, True, False]),
    degraded=st.sampled_from([None, "stale"]),
)
