"""Why a call did not fit, in words its caller can act on; and how much room callers have left."""

from datetime import UTC, datetime

from ..errors import BudgetExceeded, LimitReached, LLMOpsError
from ..store.counters.counters import Hold, Refused
from ..store.counters.meter import Concurrency, Quota, Rate, Unit
from ..store.counters.window import end_of
from ..types import Allowance, Headroom
from .estimate import Estimate
from .rule import usd

_PERIODS = {1_000_000: "second", 60_000_000: "minute"}
_WINDOWS = {"day": "today", "week": "this week", "month": "this month", "total": "in all"}


def refusal(refused: Refused, estimate: Estimate, now_s: float, note: str = "") -> LLMOpsError:
    """The error for a call that a meter refused. ``note`` is what else there is to say of a limit."""
    meter = refused.meter
    headroom = Headroom()
    if isinstance(meter, Quota) and meter.unit is Unit.NANOUSD:
        return BudgetExceeded(_over_budget(meter, refused.reading, estimate.nanousd or 0, now_s))
    if isinstance(meter, Rate):
        needed = estimate.tokens if meter.unit is Unit.TOKENS else 1
        allowance = Allowance(meter.burst, meter.left(refused.reading), meter.full_again_s(refused.reading))
        headroom = Headroom(tokens=allowance) if meter.unit is Unit.TOKENS else Headroom(requests=allowance)
        message = _over_rate(meter, needed, refused.wait_s)
    elif isinstance(meter, Concurrency):
        message = f"the limit {meter.rule!r} of {meter.limit} concurrent calls is reached; try again when one has ended"
    else:
        message = _over_quota(meter, refused.reading, estimate.tokens, now_s)
    wait_s = 1.0 if isinstance(meter, Concurrency) else refused.wait_s
    return LimitReached(message + note, retry_after_s=wait_s, headroom=headroom)


def headroom_of(hold: Hold) -> Headroom | None:
    """What the tightest rates leave to the caller after this call; None where no rate applied."""
    requests = tokens = None
    meters = hold.meters
    for index, reading in enumerate(hold.readings):
        meter = meters[index]
        if type(meter) is not Rate or meter.shadow:
            continue
        left = meter.left(reading)
        if meter.unit is Unit.TOKENS:
            if tokens is None or left < tokens.remaining:
                tokens = Allowance(meter.burst, left, meter.full_again_s(reading))
        elif requests is None or left < requests.remaining:
            requests = Allowance(meter.burst, left, meter.full_again_s(reading))
    return Headroom(requests, tokens) if requests is not None or tokens is not None else None


def _over_rate(meter: Rate, needed: int, wait_s: float | None) -> str:
    unit = "tokens" if meter.unit is Unit.TOKENS else "requests"
    period = _PERIODS.get(meter.period_us)
    rate = (
        f"{meter.count} {unit} per {period}" if period else f"{meter.count / meter.period_us * 1e6:g} {unit} per second"
    )
    if wait_s is None:
        return (
            f"the limit {meter.rule!r} of {rate} can never take this call, which needs about {needed} {unit}; "
            "shorten it, or lower its max_tokens"
        )
    return f"the limit {meter.rule!r} of {rate} is reached; try again in {_seconds(wait_s)} s"


def _seconds(wait_s: float) -> str:
    return f"{wait_s:.3g}" if wait_s < 99.5 else f"{wait_s:.0f}"


def _over_quota(meter: Quota, used: int, needed: int, now_s: float) -> str:
    return (
        f"the quota {meter.rule!r} of {meter.limit} tokens is used up: {used} used {_WINDOWS[meter.window]}, about "
        f"{needed} needed{_reset(meter, now_s)}"
    )


def _over_budget(meter: Quota, used: int, needed: int, now_s: float) -> str:
    return (
        f"the budget {meter.rule!r} of {usd(meter.limit)} is used up: {usd(used)} spent or reserved "
        f"{_WINDOWS[meter.window]}, up to {usd(needed)} needed{_reset(meter, now_s)}"
    )


def _reset(meter: Quota, now_s: float) -> str:
    end_s = end_of(meter.window, now_s)
    if end_s is None:
        return "; it does not reset by itself"
    return f"; it resets at {datetime.fromtimestamp(end_s, UTC):%Y-%m-%dT%H:%M:%SZ}"
