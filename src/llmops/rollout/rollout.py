"""A rollout as it is kept: whose, of which name, from which release to which, its plan, and where it stands."""

import secrets
from collections.abc import Mapping
from datetime import UTC, datetime
from typing import Any

import msgspec

from ..types import SHADOW
from .assignment import Running
from .plan import LIVE_ARM, Plan
from .state import OPEN, Action, State


class Rollout(msgspec.Struct, frozen=True, kw_only=True):
    """``revision`` counts its writes, so that of two who decide at a time one is told. ``saying`` is why it holds."""

    id: str
    tenant: str | None
    plan: Plan
    stable: str
    state: State
    created_at_ms: int
    created_by: str
    reason: str
    saying: str = ""
    revision: int = 0

    @property
    def name(self) -> str:
        return self.plan.name

    @property
    def is_open(self) -> bool:
        return self.state.status in OPEN

    @property
    def share(self) -> float:
        return self.state.share(self.plan)

    @property
    def candidate(self) -> str:
        """What ``promote`` makes live: of an experiment the best arm, once it is known."""
        return self.release_of(self.state.winner) if self.state.winner is not None else self.plan.candidate

    def release_of(self, arm: str) -> str:
        """Of an experiment's arm."""
        return self.stable if arm == LIVE_ARM else arm

    @property
    def arms(self) -> list[tuple[str, str, float]]:
        """Of an experiment: each arm, its release and its share of the units now."""
        shares = {LIVE_ARM: 1.0} if self.state.status in ("scheduled", "paused", "rolled_back") else self.state.shares
        if self.state.status == "promoted":
            shares = {self.state.winner or LIVE_ARM: 1.0}
        return [(arm, self.release_of(arm), shares.get(arm, 0.0)) for arm in self.state.shares]

    @property
    def running(self) -> Running:
        return Running(
            id=self.id,
            tenant=self.tenant,
            name=self.name,
            stable=self.stable,
            candidate=self.candidate,
            unit=self.plan.unit,
            share=self.share,
            mirrors=self.plan.kind == SHADOW,
            arms=self.arms,
            settle_s=self.plan.settle,
        )


class LoggedDecision(msgspec.Struct, frozen=True, kw_only=True):
    """An entry of the decision log."""

    at_ms: int
    action: Action
    step: int
    share: float
    by: str
    reason: str


def new_id() -> str:
    return f"ro-{secrets.token_hex(8)}"


def shown(rollout: Rollout) -> dict[str, Any]:
    """As plain data."""
    plan, state = rollout.plan, rollout.state
    return {
        "id": rollout.id,
        "name": rollout.name,
        "tenant": rollout.tenant,
        "shared": rollout.tenant is None,
        "kind": plan.kind,
        "stable": rollout.stable,
        "candidate": rollout.candidate,
        "arms": [{"arm": arm, "release": release, "share": share} for arm, release, share in rollout.arms],
        "winner": rollout.candidate if state.winner is not None else None,
        "status": state.status,
        "step": state.step,
        "steps": [each.percent for each in plan.steps],
        "share": rollout.share,
        "units": state.units,
        "saying": rollout.saying,
        "created_at": iso(rollout.created_at_ms),
        "created_by": rollout.created_by,
        "reason": rollout.reason,
        "begins_at": iso(state.began_ms),
        "step_began_at": iso(state.step_began_ms),
        "deadline": iso(state.deadline_ms),
        "budget_usd": str(plan.budget_usd) if plan.budget_usd is not None else None,
    }


def shown_decision(decision: LoggedDecision) -> Mapping[str, Any]:
    return {**msgspec.to_builtins(decision), "at": iso(decision.at_ms)}


def iso(at_ms: int) -> str:
    return datetime.fromtimestamp(at_ms / 1000, UTC).isoformat(timespec="milliseconds").replace("+00:00", "Z")
