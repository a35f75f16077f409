"""Rollouts over HTTP: planning and starting them, how they stand, and the four orders that a person may give.

A caller sees its own tenant's and the shared ones, and acts on its own; an administrator's are shared unless it names a
tenant. Every change is in the audit trail.
"""

from collections.abc import Callable
from typing import Annotated, Any, Literal

from fastapi import APIRouter, Path, Query
from pydantic import BaseModel, ConfigDict, Field

from ...errors import Forbidden
from ...rollout.directory import RolloutDirectory
from ...rollout.expected import Traffic
from ...rollout.plan import read_plan
from ...rollout.rollout import shown
from ..access import Caller
from .audit import Noting
from .ownership import name_of
from .roles import Editor, Viewer

RolloutId = Annotated[str, Path(max_length=40, description="ro- and 16 hexadecimal digits.")]
Tenant = Annotated[str | None, Query(max_length=256, description="An administrator may name one; default: shared.")]
What = Literal["pause", "resume", "promote", "rollback"]
_ORDERS: dict[What, str] = {
    "pause": "Keep the share as it is until somebody resumes; of an experiment the live release alone serves",
    "resume": "Go on deciding; after a deadline with another one",
    "promote": "Go one step up without waiting for evidence; of an experiment make the best arm live",
    "rollback": "Give all traffic back to the stable release at once",
}


class _Body(BaseModel):
    model_config = ConfigDict(extra="forbid")


class NewRollout(_Body):
    plan: dict[str, Any] = Field(
        description="name, candidate, kind, steps, guards, … (an experiment: arms, goal); see the how-to."
    )
    reason: str = Field("", max_length=1000)
    at: str | None = Field(None, max_length=40, description="When it begins, with a zone: 2026-11-23T08:00Z.")


class PlanAlone(_Body):
    plan: dict[str, Any]


class OrderGiven(_Body):
    reason: str = Field("", max_length=1000)


def router(rollouts: RolloutDirectory, note: Noting, traffic: Traffic | None) -> APIRouter:
    """Routes whose functions block on the database, and which FastAPI therefore runs in threads."""
    routes = APIRouter(prefix="/api", tags=["rollouts"])

    @routes.get("/rollouts", summary="Rollouts, the newest first")
    def list_rollouts(
        caller: Viewer,
        name: Annotated[str | None, Query(max_length=100)] = None,
        limit: Annotated[int, Query(ge=1, le=500)] = 100,
        before: Annotated[str | None, Query(max_length=40, description="`next` of the page before.")] = None,
        tenant: Tenant = None,
    ) -> dict[str, Any]:
        page = rollouts.repository.find(_seer(caller, tenant), name=name, limit=limit + 1, before=before)
        following = page[limit - 1].id if len(page) > limit else None
        return {"rollouts": [shown(each) for each in page[:limit]], "next": following}

    @routes.post("/rollouts/plan", summary="What a plan would need: units and time of each step")
    def plan(sent: PlanAlone, caller: Viewer, tenant: Tenant = None) -> dict[str, Any]:
        return rollouts.planned(read_plan(sent.plan), _seer(caller, tenant), traffic)

    @routes.post("/rollouts", summary="Start a rollout", status_code=201)
    def start(sent: NewRollout, caller: Editor, tenant: Tenant = None) -> dict[str, Any]:
        whose = _seer(caller, tenant)
        made = rollouts.start(read_plan(sent.plan), whose, by=name_of(caller), reason=sent.reason, at=sent.at)
        after = {"name": made.name, "candidate": made.plan.candidate, "kind": made.plan.kind, "share": made.share}
        note(caller, "rollout.start", made.id, tenant=whose, after=after, reason=sent.reason)
        return shown(made)

    @routes.get("/rollouts/{rollout_id}", summary="How a rollout stands: its evidence over time and its decisions")
    def status(
        rollout_id: RolloutId,
        caller: Viewer,
        marks: Annotated[int, Query(ge=0, le=2000, description="So many of the latest.")] = 500,
        tenant: Tenant = None,
    ) -> dict[str, Any]:
        return rollouts.status(rollout_id, _seer(caller, tenant), marks=marks)

    for what, summary in _ORDERS.items():
        routes.post(f"/rollouts/{{rollout_id}}/{what}", summary=summary, name=what)(_ordering(rollouts, note, what))
    return routes


def _ordering(rollouts: RolloutDirectory, note: Noting, what: What) -> Callable[..., dict[str, Any]]:
    def order(rollout_id: RolloutId, sent: OrderGiven, caller: Editor, tenant: Tenant = None) -> dict[str, Any]:
        whose = _seer(caller, tenant)
        after, decision = rollouts.order(rollout_id, what, whose, by=name_of(caller), reason=sent.reason)
        told = {"status": after.state.status, "share": decision.share, "action": decision.action}
        note(caller, f"rollout.{what}", rollout_id, tenant=after.tenant, after=told, reason=sent.reason)
        return shown(after)

    return order


def _seer(caller: Caller, tenant: str | None) -> str | None:
    """Who looks or acts: None sees all; an administrator's are shared."""
    if caller.tenant is not None and tenant not in (None, caller.tenant):
        raise Forbidden("what is another tenant's is for an administrator", param="tenant")
    return caller.tenant or tenant
