"""Alerts over HTTP: what fires, what was, and silences.

A caller sees the alerts that bear its tenant's label, and an editor silences them for its tenant's own receivers; an
administrator sees and silences all.
"""

from typing import Annotated, Any, Literal

from fastapi import APIRouter, Query
from pydantic import AwareDatetime, BaseModel, ConfigDict, Field

from ...monitoring.alerts.directory import AlertDirectory
from .audit import Noting
from .ownership import name_of
from .roles import Editor, Viewer


class NewSilence(BaseModel):
    model_config = ConfigDict(extra="forbid")

    matchers: dict[str, str] = Field(
        min_length=1, max_length=10, description="Labels, `rule` or `severity`, each a value or a pattern with `*`."
    )
    seconds: float = Field(gt=0, le=366 * 86_400, description="How long.")
    reason: str = Field(min_length=1, max_length=2000, description="Why, for whoever wonders later.")


def router(alerts: AlertDirectory, note: Noting) -> APIRouter:
    """Routes whose functions block on the database, and which FastAPI therefore runs in threads."""
    routes = APIRouter(prefix="/api", tags=["alerts"])

    @routes.get("/alerts", summary="Alerts that fire, or are about to")
    def current(caller: Viewer, state: Literal["firing", "pending", "all"] = "all") -> list[dict[str, Any]]:
        states = ("firing", "pending") if state == "all" else (state,)
        return alerts.current(caller.tenant, states=states)

    @routes.get("/alerts/history", summary="How alerts have changed, latest first")
    def history(
        caller: Viewer,
        since: Annotated[AwareDatetime | None, Query(alias="from")] = None,
        until: Annotated[AwareDatetime | None, Query(alias="to")] = None,
        rule: Annotated[str | None, Query(max_length=80)] = None,
        limit: Annotated[int, Query(ge=1, le=1000)] = 100,
        before: Annotated[int | None, Query(ge=1, le=2**63 - 1, description="The last id of the page before.")] = None,
    ) -> list[dict[str, Any]]:
        return alerts.history(
            caller.tenant,
            since_s=since.timestamp() if since else None,
            until_s=until.timestamp() if until else None,
            rule=rule,
            limit=limit,
            before_id=before,
        )

    @routes.get("/alerts/receivers", summary="Who is told, and how deliveries go")
    def receivers(caller: Viewer) -> list[dict[str, Any]]:
        return alerts.receivers(caller.tenant)

    @routes.get("/silences", summary="Silences that hold")
    def list_silences(
        caller: Viewer, past: Annotated[bool, Query(description="Also those that are over.")] = False
    ) -> list[dict[str, Any]]:
        return alerts.silences(caller.tenant, also_past=past)

    @routes.post("/silences", summary="Announce matching alerts to nobody for a time", status_code=201)
    def silence(wanted: NewSilence, caller: Editor) -> dict[str, Any]:
        made = alerts.silence(
            caller.tenant, wanted.matchers, seconds=wanted.seconds, created_by=name_of(caller), reason=wanted.reason
        )
        after = {"matchers": made["matchers"], "until": made["until"]}
        note(caller, "silence.add", made["id"], tenant=caller.tenant, after=after, reason=wanted.reason)
        return made

    @routes.delete("/silences/{silence_id}", summary="End a silence")
    def unsilence(silence_id: str, caller: Editor) -> dict[str, Any]:
        ended = alerts.unsilence(caller.tenant, silence_id)
        before = {"matchers": ended["matchers"], "reason": ended["reason"]}
        note(caller, "silence.end", ended["id"], tenant=ended["tenant"], before=before, after={"until": ended["until"]})
        return ended

    return routes
