"""Starting rollouts and ordering them about: what a person does, by the shell or over HTTP.

A tenant's rollouts are its own; ``tenant`` None acts for an administrator, whose rollouts are shared. An order is tried
again when the conductor has written meanwhile. Methods block on the database: call them from a thread. Whoever calls
notes the change in the audit trail.
"""

from collections.abc import Mapping, Sequence
from typing import Any, Literal

import msgspec

from ..clock import Clock
from ..errors import Conflict, Forbidden, InvalidRequest, NotFound
from ..store.database import Database
from ..types import SHADOW
from .evidence import no_evidence
from .expected import Traffic, expected, mirrored
from .expected_arms import expected_arms
from .plan import Plan
from .ports import Releases
from .repository.calls import RolloutCalls
from .repository.rollouts import Changed, RolloutRepository
from .rollout import LoggedDecision, Rollout, iso, new_id, shown, shown_decision
from .schedule import begins_ms
from .state import Order, Refused, advance, started

_TRIES = 20


class RolloutDirectory:
    def __init__(self, database: Database, clock: Clock, releases: Releases) -> None:
        self.repository = RolloutRepository(database)
        self._calls = RolloutCalls(database)
        self._clock = clock
        self._releases = releases

    def check(self, plan: Plan, tenant: str | None) -> str:
        """The release that is live and would be moved from; raises where the plan cannot be started now."""
        stable = self._releases.live(plan.name, tenant)
        if stable is None:
            raise NotFound(f"no release of {plan.name!r} is live; make one live first", param="name")
        for each in plan.challengers:
            if stable == each:
                raise Conflict(f"{each} is the live release of {plan.name!r} already")
            self._releases.check(each, plan.name, tenant)
        return stable

    def planned(self, plan: Plan, tenant: str | None, traffic: Traffic | None) -> dict[str, Any]:
        """The plan, checked against the releases that there are, with the units and the time that each step needs."""
        stable = self.check(plan, tenant)
        figures = traffic.of_release(stable, tenant, "24h") if traffic is not None else {}
        calls, rate = figures.get("calls") or 0, figures.get("success_rate")
        steps = expected(plan, calls / 24, None if rate is None else 1 - rate)
        trial = expected_arms(plan, calls / 24, None if rate is None else 1 - rate)
        seconds = [each.seconds for each in steps] if trial is None else [trial["seconds"]]
        return {
            "plan": plan.model_dump(mode="json"),
            "stable": stable,
            "calls_per_hour": calls / 24,
            "steps": [msgspec.to_builtins(each) for each in steps],
            "seconds": None if None in seconds else sum(each or 0.0 for each in seconds),
            "mirrored": self._mirrored(plan, figures),
            "experiment": trial,
            "alpha": {**{each.key: plan.alpha_of(each) for each in plan.guards}, "split": plan.alpha_split},
        }

    @staticmethod
    def _mirrored(plan: Plan, figures: Mapping[str, Any]) -> dict[str, Any] | None:
        calls = figures.get("calls") or 0
        per_call = figures["nanousd"] / calls / 1e9 if calls and not figures.get("unpriced_calls") else None
        return mirrored(plan, calls / 24, per_call) if plan.kind == SHADOW else None

    def start(self, plan: Plan, tenant: str | None, *, by: str, reason: str, at: str | None = None) -> Rollout:
        """``at``: when it begins; None: now."""
        stable, now_ms = self.check(plan, tenant), self._now_ms()
        state, saying = started(plan, now_ms), "it has begun"
        if at is not None:
            state = started(plan, begins_ms(at, now_ms), "scheduled")
            saying = f"it begins at {iso(state.began_ms)}"
        rollout = Rollout(
            id=new_id(),
            tenant=tenant,
            plan=plan,
            stable=stable,
            state=state,
            created_at_ms=now_ms,
            created_by=by,
            reason=_reason(reason),
            saying=saying,
            revision=1,
        )
        share = rollout.share
        first = LoggedDecision(
            at_ms=now_ms,
            action="START" if at is None else "SCHEDULE",
            step=0,
            share=share,
            by=by,
            reason=reason or ("by hand" if at is None else saying),
        )
        self.repository.add(rollout, no_evidence(plan, now_ms), first)
        return rollout

    def order(
        self,
        rollout_id: str,
        what: Literal["pause", "resume", "promote", "rollback"],
        tenant: str | None,
        *,
        by: str,
        reason: str,
    ) -> tuple[Rollout, LoggedDecision]:
        """What has become of it, and the decision. `Conflict` for an order that makes no sense in its state."""
        order = Order(what=what, by=by, reason=_reason(reason))
        for _ in range(_TRIES):
            before = self.own(rollout_id, tenant)
            try:
                state, decision = advance(before.plan, before.state, order, self._now_ms())
            except Refused as exc:
                raise Conflict(f"{what}: {exc}") from exc
            after = msgspec.structs.replace(before, state=state, saying=decision.reason)
            if decision.action == "START":
                for each in before.plan.challengers:
                    self._releases.check(each, before.name, before.tenant)
            elif decision.action == "DONE":
                self._releases.promote(after, by, decision.reason)
            elif before.state.status == "promoted":
                self._releases.restore(after, by, decision.reason)
            logged = LoggedDecision(
                at_ms=self._now_ms(),
                action=decision.action,
                step=state.step,
                share=after.share,
                by=by,
                reason=decision.reason,
            )
            try:
                return self.repository.keep(after, decision=logged), logged
            except Changed:
                continue
        raise Conflict(f"the rollout {rollout_id} is being changed all the time; try again")

    def own(self, rollout_id: str, tenant: str | None) -> Rollout:
        """One that ``tenant`` may act on; None may on all."""
        found = self.repository.get(rollout_id, tenant)
        if tenant is not None and found.tenant != tenant:
            raise Forbidden(f"{rollout_id} is a shared rollout, which an administrator acts on")
        return found

    def status(self, rollout_id: str, seer: str | None, *, marks: int = 500) -> dict[str, Any]:
        """All that is known of one: how it stands, its plan, the evidence over time, the decision log."""
        rollout = self.repository.get(rollout_id, seer)
        kept = self.repository.marks(rollout_id, marks)
        latest = {each.guard: each for each in kept}
        return {
            **shown(rollout),
            "mirrored": self._seen_mirrored(rollout),
            "plan": rollout.plan.model_dump(mode="json"),
            "guards": [msgspec.to_builtins(each) for each in latest.values()],
            "evidence": [msgspec.to_builtins(each) for each in kept],
            "decisions": [shown_decision(each) for each in self.repository.decisions(rollout_id)],
        }

    def _seen_mirrored(self, rollout: Rollout) -> dict[str, Any] | None:
        """What became of a shadow's calls; money as exact text."""
        budget = rollout.plan.budget_nanousd
        if rollout.plan.kind != SHADOW or budget is None:
            return None
        found = self._calls.mirrored(rollout.id)
        return {
            "copies": found.copies,
            "refused": found.refused,
            "skipped": found.skipped,
            "spent_usd": _usd(found.spent_nanousd),
            "remaining_usd": _usd(max(0, budget - found.spent_nanousd)),
            "budget_usd": _usd(budget),
        }

    def of_release(self, release_id: str, tenant: str | None) -> Sequence[dict[str, Any]]:
        """For a release's card."""
        return [shown(each) for each in self.repository.of_release(release_id, tenant)]

    def _now_ms(self) -> int:
        return round(self._clock.now_s() * 1000)


def _usd(nanousd: int) -> str:
    whole, fraction = divmod(nanousd, 10**9)
    return f"{whole}.{fraction:09d}".rstrip("0").rstrip(".")


def _reason(reason: str) -> str:
    reason = reason.strip()
    if len(reason) > 1000:
        raise InvalidRequest(f"reason: {len(reason)} characters; at most 1000", param="reason")
    return reason
