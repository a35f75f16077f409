"""Plans and calls that rollouts are tried with."""

from typing import Any

from llmops.rollout.outcome import CallSeen
from llmops.rollout.plan import Plan, read_plan

CANDIDATE_ID = "rel-" + "b" * 16
STABLE_ID = "rel-" + "a" * 16
ERRORS: dict[str, Any] = {"metric": "error", "margin": 0.02}


def a_plan(**fields: Any) -> Plan:
    values = {"name": "bot", "candidate": CANDIDATE_ID, "guards": [ERRORS], "min_time": "10s", "min_units": 50}
    return read_plan({**values, **fields})


def a_call(number: int, *, candidate: bool, share: float = 0.1, status: int = 200, **fields: Any) -> CallSeen:
    values: dict[str, Any] = {"started_ms": number, "tenant": "acme"}
    arm = "candidate" if candidate else "stable"
    return CallSeen(request_id=f"req-{number}", arm=arm, share=share, status=status, **{**values, **fields})
