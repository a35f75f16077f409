"""What one call says of a guard: a bad event or none, an amount, or nothing at all.

What the caller itself brought about (no key, no right, a used-up limit or budget, a connection that it closed) says
nothing of a release. A call that failed had no answer in time, so it counts as slow as well: failing fast is no gain.
"""

import hashlib

import msgspec

from ..errors import BudgetExceeded
from ..types import SHADOW
from .assignment import CANDIDATE, unit_of
from .goal import Goal
from .plan import GuardPlan, Unit

_CALLERS_OWN = frozenset({401, 402, 403, 413, 431, 499})
_LIMIT = "rate_limit_exceeded"
UNFINISHED = "unfinished"
"""What stands for the error of a call that has not ended in time: as far as anybody knew then, it had failed."""


class CallSeen(msgspec.Struct, frozen=True, kw_only=True):
    """A call of a rollout, as its row has it. ``share``: what the candidate's share was when the call was assigned."""

    request_id: str
    started_ms: int
    tenant: str
    arm: str
    share: float
    status: int
    error_type: str | None = None
    latency_ms: float = 0.0
    json_valid: bool | None = None
    finish_reason: str | None = None
    cost_nanousd: int | None = None
    key_id: str | None = None
    user: str | None = None
    session: str | None = None
    trace_id: str | None = None

    @property
    def probability(self) -> float:
        """With which the call came to its arm."""
        return self.share if self.in_candidate else 1 - self.share

    @property
    def in_candidate(self) -> bool:
        """What a copy says it says of the candidate."""
        return self.arm in (CANDIDATE, SHADOW)

    @property
    def is_refused_copy(self) -> bool:
        """A copy that did not fit into a budget."""
        return self.arm == SHADOW and self.error_type == BudgetExceeded.code


def unit_key(kind: Unit, call: CallSeen, *, at_each_share: bool = True) -> str:
    """The unit that a call belongs to, under one share: at another step the same unit is looked at anew. A hash, so
    that nobody's name is kept twice; a request is its own."""
    if kind == "request":
        return call.request_id
    unit = unit_of(
        kind,
        session=call.session,
        user=call.user,
        key_id=call.key_id,
        trace_id=call.trace_id,
        request_id=call.request_id,
    )
    text = f"{call.tenant}\0{unit}\0{call.share:.6f}" if at_each_share else f"{call.tenant}\0{unit}"
    return hashlib.blake2b(text.encode("utf-8", "surrogatepass"), digest_size=12).hexdigest()


def outcome_of(guard: GuardPlan | Goal, call: CallSeen) -> float | None:
    """1 for a bad event and 0 for none, or an amount; None: nothing is known by this call."""
    if call.status in _CALLERS_OWN or (call.status == 429 and call.error_type == _LIMIT):
        return None
    failed = call.status >= 400
    if guard.metric == "error":
        return float(failed)
    if guard.metric == "slow":
        return float(failed or call.latency_ms > (guard.threshold_ms or 0.0))
    if failed:
        return None
    if guard.metric == "bad_json":
        return None if call.json_valid is None else float(not call.json_valid)
    if guard.metric == "guardrail":
        return float(call.finish_reason in ("content_filter", "refusal"))
    if guard.metric == "cost":
        return None if call.cost_nanousd is None else call.cost_nanousd / 1e9
    return call.latency_ms
