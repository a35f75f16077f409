"""What a failed attempt says: about trying again here, about trying elsewhere, and about the deployment's health.

::

    kind         here  elsewhere  ill health   of what
    transient    yes   yes        yes          no connection, cut, garbage, 500, 502
    overloaded   yes   yes        yes          503, 529, an error as a stream's first event
    timeout      yes   yes        yes          408, 504, the deployment's own limits
    throttled    yes   yes        no           429: it cools down
    conflict     yes   yes        no           409
    impatient    no    yes        no           the caller's deadline cut the attempt short
    credential   no    yes        no           401, 403, quota used up: it is dead, and the operator is told
    incapable    no    yes        no           cannot carry a parameter; nothing was sent
    full         yes   yes        no           its pool has no place; nothing was sent
    rejected     no    no         no           every other 4xx, limits, budgets: it will fail again
    defect       no    no         no           a defect of ours

Impatience is a kind of its own, or callers with tiny deadlines could have everybody's deployments ejected.
"""

from collections.abc import Iterable
from typing import Literal

import msgspec

from ..errors import (
    LLMOpsError,
    UnsupportedParameter,
    UpstreamCredential,
    UpstreamError,
    UpstreamRateLimited,
    UpstreamRejected,
    UpstreamTimeout,
    UpstreamUnavailable,
)

FailureKind = Literal[
    "transient",
    "overloaded",
    "timeout",
    "throttled",
    "conflict",
    "impatient",
    "credential",
    "incapable",
    "full",
    "rejected",
    "defect",
]
_HERE = frozenset({"transient", "overloaded", "timeout", "throttled", "conflict", "full"})
_NOWHERE = frozenset({"rejected", "defect"})
_ILL = frozenset({"transient", "overloaded", "timeout"})
_BUSY = frozenset({"overloaded", "throttled"})
_UNSENT = frozenset({"incapable", "full"})
_OVERLOADED = (200, 503, 529)
_CONFLICT = 409
_MAX_SHOWN = 200


class Failure(msgspec.Struct, frozen=True, kw_only=True, gc=False):
    """One failed attempt. ``status`` is what the upstream answered, None where it did not; ``committed``: content had
    already been handed on."""

    kind: FailureKind
    message: str = ""
    status: int | None = None
    retry_after_s: float | None = None
    committed: bool = False

    @property
    def may_repeat_here(self) -> bool:
        return self.kind in _HERE

    @property
    def may_repeat_elsewhere(self) -> bool:
        return self.kind not in _NOWHERE

    @property
    def is_ill_health(self) -> bool:
        return self.kind in _ILL

    @property
    def is_busy(self) -> bool:
        """It asks for less: longer pauses, fewer calls at a time."""
        return self.kind in _BUSY

    @property
    def was_sent(self) -> bool:
        return self.kind not in _UNSENT


FULL = Failure(kind="full", message="as many calls are under way there as it can take")


class Attempt(msgspec.Struct, frozen=True, gc=False):
    """A failed attempt and where it was made."""

    deployment: str
    failure: Failure


def failure_of(error: BaseException, *, committed: bool = False, shortened: bool = False) -> Failure:
    """The failure that an exception stands for; ``shortened``: its time was ended by the caller's deadline
    (`deadline.Limits.ended`)."""
    if not isinstance(error, LLMOpsError):
        return Failure(kind="defect", message=type(error).__name__, committed=committed)
    status = error.upstream_status if isinstance(error, UpstreamError) else None
    return Failure(
        kind=_kind(error, status, shortened),
        message=error.message,
        status=status,
        retry_after_s=error.retry_after_s,
        committed=committed,
    )


def _kind(error: LLMOpsError, status: int | None, shortened: bool) -> FailureKind:
    match error:
        case UpstreamRateLimited():
            return "throttled"
        case UpstreamCredential():
            return "credential"
        case UpstreamTimeout():
            return "impatient" if shortened and status is None else "timeout"
        case UpstreamUnavailable():
            return "overloaded" if status in _OVERLOADED else "transient"
        case UpstreamRejected():
            return "conflict" if status == _CONFLICT else "rejected"
        case UpstreamError():
            return "transient"
        case UnsupportedParameter():
            return "incapable"
    return "rejected"


def told(attempts: Iterable[Attempt]) -> str:
    """A sentence for the caller: which deployments were tried, in order, and why each failed."""
    parts = [f"{attempt.deployment!r} failed: {attempt.failure.message[:_MAX_SHOWN]}" for attempt in attempts]
    return "; then ".join(parts) or "no deployment was tried"
