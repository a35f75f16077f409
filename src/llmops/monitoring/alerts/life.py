"""The life of an alert: ok, pending, firing, ok again. A pure function of its state, what is found, and the time.

It fires when it has been beyond its threshold for ``for_s`` without a pause, and is over when it has been well for
``clear_s`` without a pause. Each further firing within an hour doubles that time, up to an hour, so that what flaps is
told of once and not all night. When nothing can be said a firing alert goes on, up to ``unknown_s``: an outage that
ends all traffic is not its own recovery.
"""

from typing import Literal

import msgspec

from .alert import Alert, Change

Finding = Literal["beyond", "well", "unknown"]
MEMORY_S = 3600.0
"""How long a firing counts against the next one, and the longest that damping holds an alert."""
_LEAST_DAMPING_S = 60.0


class Patience(msgspec.Struct, frozen=True):
    """How long something has to be so before it counts."""

    for_s: float = 0.0
    clear_s: float = 120.0
    unknown_s: float = 900.0


def step(alert: Alert, finding: Finding, patience: Patience, now_s: float) -> tuple[Alert, Change | None]:
    """The alert after this look at it, and how it has changed. A clock that goes back only makes it wait."""
    recent = tuple(at_s for at_s in alert.fired_at_s if now_s - at_s < MEMORY_S)
    if recent != alert.fired_at_s:
        alert = msgspec.structs.replace(alert, fired_at_s=recent)
    if alert.state == "firing":
        return _while_firing(alert, finding, patience, now_s)
    if finding != "beyond":
        return (_to(alert, "ok", now_s), "calmed") if alert.state == "pending" else (alert, None)
    if alert.state == "ok" and patience.for_s > 0:
        return _to(alert, "pending", now_s), "pending"
    if alert.state == "pending" and now_s - alert.since_s < patience.for_s:
        return alert, None
    fired = _to(alert, "firing", now_s)
    return msgspec.structs.replace(fired, fired_at_s=(*recent, now_s)), "firing"


def clearing_s(alert: Alert, patience: Patience) -> float:
    """How long a firing alert has to be well: longer for each time that it has fired in the last hour."""
    relapses = len(alert.fired_at_s) - 1
    if relapses <= 0:
        return patience.clear_s
    return max(patience.clear_s, min(MEMORY_S, max(patience.clear_s, _LEAST_DAMPING_S) * 2.0 ** min(relapses, 30)))


def end(alert: Alert, now_s: float) -> tuple[Alert, Change | None]:
    """The alert when nobody looks at it any more: its rule is gone."""
    change: Change | None = {"firing": "resolved", "pending": "calmed"}.get(alert.state)  # type: ignore[assignment]
    return _to(alert, "ok", now_s), change


def _while_firing(alert: Alert, finding: Finding, patience: Patience, now_s: float) -> tuple[Alert, Change | None]:
    if finding == "beyond":
        if alert.clear_since_s is None and alert.unknown_since_s is None:
            return alert, None
        return msgspec.structs.replace(alert, clear_since_s=None, unknown_since_s=None), None
    if finding == "unknown":
        since_s = alert.unknown_since_s if alert.unknown_since_s is not None else now_s
        if now_s - since_s >= patience.unknown_s:
            return _to(alert, "ok", now_s), "resolved"
        return msgspec.structs.replace(alert, unknown_since_s=since_s, clear_since_s=None), None
    since_s = alert.clear_since_s if alert.clear_since_s is not None else now_s
    if now_s - since_s >= clearing_s(alert, patience):
        return _to(alert, "ok", now_s), "resolved"
    return msgspec.structs.replace(alert, clear_since_s=since_s, unknown_since_s=None), None


def _to(alert: Alert, state: Literal["ok", "pending", "firing"], now_s: float) -> Alert:
    return msgspec.structs.replace(alert, state=state, since_s=now_s, clear_since_s=None, unknown_since_s=None)
