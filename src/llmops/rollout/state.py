"""Where a rollout stands and what follows from what happens: a pure function ``(plan, state, event, now)``.

::

    scheduled --its time, by hand (resume)--> running; --alarm, by hand--> rolled_back
    running --harm, alarm, by hand--> rolled_back
      | ^ pause / resume                  ^
      v |                                 | (by hand, also after the end)
    paused      running --deadline--> held ----> running (resume: another deadline)
    running --evidence, exposure, time--> next step … --> promoted

A shadow has one step and never goes up: it runs until its deadline, or until its budget is used up, is then held, and
ends by hand (``rolled_back``: mirroring stops, there is nothing to restore). Only while it runs are calls mirrored.

A step up needs proof of no harm in every critical metric, at least the planned units and time, and a sample that is
split as it should be; the want of evidence holds. Who is asked is a human: nothing is promoted by a deadline.
"""

from collections.abc import Mapping, Sequence
from typing import Literal

import msgspec

from ..types import SHADOW
from .allocation import even_shares
from .plan import EXPERIMENT, LIVE_ARM, Plan

Status = Literal["scheduled", "running", "paused", "held", "promoted", "rolled_back"]
Action = Literal["START", "HOLD", "PROMOTE", "ROLLBACK", "PAUSE", "RESUME", "DONE", "ASK", "SCHEDULE"]
OPEN: frozenset[Status] = frozenset({"scheduled", "running", "paused", "held"})
"""In these it decides about traffic, or will."""
_MOVES_EVERY_MS = 2000


class State(msgspec.Struct, frozen=True, kw_only=True):
    status: Status = "running"
    step: int = 0
    began_ms: int
    step_began_ms: int
    deadline_ms: int
    units: int = 0
    """Of the candidate, as they were last seen, and when the step began."""
    units_before: int = 0
    asked_split: bool = False
    refused_ms: int = 0
    """The refusal of copies that a human was asked about."""

    shares: Mapping[str, float] = {}
    """Of an experiment's arms, and when they were moved last."""
    shares_ms: int = 0
    winner: str | None = None
    """The arm of an experiment that is proved the best."""

    def share(self, plan: Plan) -> float:
        """Of the units that get the candidate now; in an experiment any other than the live release."""
        if self.status == "promoted":
            return 1.0
        if self.status in ("scheduled", "rolled_back"):
            return 0.0
        if plan.kind == SHADOW and self.status != "running":
            return 0.0
        if plan.kind == EXPERIMENT:
            return 0.0 if self.status == "paused" else round(1 - self.shares[LIVE_ARM], 6)
        return plan.steps[self.step].share


class Seen(msgspec.Struct, frozen=True, kw_only=True, tag="seen"):
    """What a look at the evidence found: guards (by key) with proven harm, those critical ones without proof of its
    absence, units of the candidate, and whether the sample is split as it should be."""

    harmed: Sequence[tuple[str, str]] = ()
    """Guard and reason."""
    unproved: Sequence[str] = ()
    broken: Sequence[tuple[str, str]] = ()
    """Guards that cannot say anything: too much of their data is no number."""
    units: int = 0
    refused_ms: int = 0
    """Since when copies have been refused by a budget; 0: they are not."""
    split_broken: str | None = None
    best: str | None = None
    """Of an experiment: the arm that is proved the best, how far it has come, and shares that would be better."""
    saying: str = ""
    shares: Mapping[str, float] | None = None


class Alarm(msgspec.Struct, frozen=True, kw_only=True, tag="alarm"):
    """Something else than the evidence says that it has to end: an SLO burns, the gate blocks, a hard cap is used up,
    another release has become live."""

    reason: str


class Order(msgspec.Struct, frozen=True, kw_only=True, tag="order"):
    """By hand."""

    what: Literal["pause", "resume", "promote", "rollback"]
    by: str
    reason: str = ""


Event = Seen | Alarm | Order


class Decision(msgspec.Struct, frozen=True, kw_only=True):
    action: Action
    reason: str
    by: str = "evidence"


class Refused(ValueError):
    """An order that cannot be followed in this state."""


def started(plan: Plan, now_ms: int, status: Status = "running") -> State:
    """``now_ms`` may be the time to come at which it begins."""
    return State(
        status=status,
        began_ms=now_ms,
        step_began_ms=now_ms,
        deadline_ms=now_ms + round(plan.deadline * 1000),
        shares=even_shares(plan.arm_names) if plan.kind == EXPERIMENT else {},
        shares_ms=now_ms,
    )


def advance(plan: Plan, state: State, event: Event, now_ms: int) -> tuple[State, Decision]:
    """What follows. `Refused` for an order that makes no sense here; evidence and alarms are never refused."""
    if isinstance(event, Order):
        return _ordered(plan, state, event, now_ms)
    if state.status not in OPEN:
        return state, Decision(action="HOLD", reason=f"it is {state.status.replace('_', ' ')}")
    if isinstance(event, Alarm):
        return _end(state, "rolled_back"), Decision(action="ROLLBACK", reason=event.reason, by="alarm")
    return _seen(plan, state, event, now_ms)


def _seen(plan: Plan, state: State, seen: Seen, now_ms: int) -> tuple[State, Decision]:
    if state.status == "scheduled":
        if now_ms < state.began_ms:
            return state, Decision(action="HOLD", reason="its time has not come")
        return started(plan, now_ms), Decision(action="START", reason="its time has come", by="schedule")
    state = msgspec.structs.replace(state, units=max(state.units, seen.units))
    if seen.harmed:
        reason = "; ".join(f"{guard}: {said}" for guard, said in seen.harmed)
        return _end(state, "rolled_back"), Decision(action="ROLLBACK", reason=reason)
    if seen.split_broken is not None and not state.asked_split and state.status == "running":
        held = msgspec.structs.replace(state, status="held", asked_split=True)
        return held, Decision(action="ASK", reason=f"the sample is not split as planned: {seen.split_broken}")
    if state.status != "running":
        return state, Decision(action="HOLD", reason=f"it is {state.status}")
    if plan.kind == SHADOW and seen.refused_ms > state.refused_ms:
        held = msgspec.structs.replace(state, status="held", refused_ms=now_ms)
        return held, Decision(action="ASK", reason=f"the shadow's budget is used up; {_found(plan, seen)}")
    if plan.kind == EXPERIMENT:
        return _tried(state, seen, now_ms)
    waiting = _waiting(plan, state, seen, now_ms)
    if waiting is None:
        return _up(plan, state, now_ms, "evidence", "proved in every critical metric")
    if now_ms >= state.deadline_ms:
        held = msgspec.structs.replace(state, status="held")
        why = f"the deadline has come; {_found(plan, seen)}"
        if plan.kind != SHADOW:
            why = f"the deadline has come and {waiting}: a human decides"
        return held, Decision(action="ASK", reason=why)
    return state, Decision(action="HOLD", reason=waiting)


def _tried(state: State, seen: Seen, now_ms: int) -> tuple[State, Decision]:
    """An experiment names an arm and leaves the rest to a human; until then shares follow the evidence."""
    if seen.split_broken is not None:
        return state, Decision(action="HOLD", reason="the sample is not split as planned")
    if seen.best is not None:
        held = msgspec.structs.replace(state, status="held", winner=seen.best)
        return held, Decision(action="ASK", reason=f"{seen.saying}: promote makes it live")
    if now_ms >= state.deadline_ms:
        held = msgspec.structs.replace(state, status="held")
        return held, Decision(action="ASK", reason=f"the deadline has come; {seen.saying}: a human decides")
    if seen.shares is not None and now_ms - state.shares_ms >= _MOVES_EVERY_MS:
        state = msgspec.structs.replace(state, shares=dict(seen.shares), shares_ms=now_ms)
    return state, Decision(action="HOLD", reason=seen.saying)


def _waiting(plan: Plan, state: State, seen: Seen, now_ms: int) -> str | None:
    """Why it does not go up by itself; None: it may."""
    step = plan.steps[state.step]
    share = step.share
    if plan.kind == SHADOW:
        return f"{seen.units} copies have been compared"
    if plan.kind == "ab":
        return "a fixed split stays as it is"
    if share == 0:
        return "the switch is made by hand (promote)"
    left_s = step.min_time - (now_ms - state.step_began_ms) / 1000
    if left_s > 0:
        return f"{left_s:.0f} s of the step's time are left"
    if share == 1:
        return None  # nothing is left to compare with
    units = state.units - state.units_before
    if units < step.min_units:
        return f"{units} of {step.min_units} units have been seen at this step"
    if seen.split_broken is not None:
        return "the sample is not split as planned"
    if seen.broken:
        return "; ".join(f"{guard}: {said}" for guard, said in seen.broken)
    if seen.unproved:
        return f"not proved yet: {', '.join(seen.unproved)}"
    return None


def _found(plan: Plan, seen: Seen) -> str:
    """What a shadow has shown, for whoever decides now."""
    critical = [each.key for each in plan.guards if each.tier == "critical"]
    proved = [key for key in critical if key not in seen.unproved]
    parts = [f"{seen.units} copies were compared"]
    parts += [f"proved: {', '.join(proved)}"] if proved else []
    parts += [f"not proved: {', '.join(seen.unproved)}"] if seen.unproved else []
    return "; ".join(parts)


def _up(plan: Plan, state: State, now_ms: int, by: str, why: str) -> tuple[State, Decision]:
    if state.step + 1 >= len(plan.steps):
        return _end(state, "promoted"), Decision(action="DONE", reason="the candidate is live", by=by)
    to = plan.steps[state.step + 1].percent
    up = msgspec.structs.replace(
        state, status="running", step=state.step + 1, step_began_ms=now_ms, units_before=state.units
    )
    return up, Decision(action="PROMOTE", reason=f"to {to:g} %: {why}", by=by)


def _ordered(plan: Plan, state: State, order: Order, now_ms: int) -> tuple[State, Decision]:
    def told(action: Action, default: str) -> Decision:
        return Decision(action=action, reason=order.reason or default, by=order.by)

    if order.what == "rollback":
        if state.status == "rolled_back":
            raise Refused("it is rolled back already")
        return _end(state, "rolled_back"), told("ROLLBACK", "by hand")
    if state.status not in OPEN:
        raise Refused(f"it is {state.status.replace('_', ' ')}, which is the end")
    if state.status == "scheduled":
        if order.what != "resume":
            raise Refused("it has not begun; resume begins it now, rollback cancels it")
        return started(plan, now_ms), told("START", "by hand, before its time")
    if order.what == "pause":
        if state.status != "running":
            raise Refused(f"it is {state.status} already")
        return msgspec.structs.replace(state, status="paused"), told("PAUSE", "by hand")
    if order.what == "resume":
        if state.status == "running":
            raise Refused("it is running")
        if state.winner is not None:
            raise Refused(f"{state.winner} is proved the best; promote it, or roll back")
        late = now_ms + round(plan.deadline * 1000) if now_ms >= state.deadline_ms else state.deadline_ms
        return msgspec.structs.replace(state, status="running", deadline_ms=late), told("RESUME", "by hand")
    if plan.kind == SHADOW:
        raise Refused("a shadow never serves; start a canary")
    if plan.kind == EXPERIMENT:
        if state.winner is None:
            raise Refused("no arm is proved the best; roll back and make live by hand what you want")
        return _end(state, "promoted"), Decision(action="DONE", reason=f"{state.winner} is live", by=order.by)
    return _up(plan, state, now_ms, order.by, order.reason or "by hand")


def _end(state: State, status: Status) -> State:
    return msgspec.structs.replace(state, status=status)
