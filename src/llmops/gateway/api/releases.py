"""Releases over HTTP: making them, what is live, going back, the gate's verdicts, cards and differences.

A caller sees its own tenant's and the shared ones, and acts on its own; an administrator's are shared unless it names a
tenant. Every change is in the audit trail.
"""

from typing import Annotated, Any

import msgspec
from fastapi import APIRouter, Path, Query
from pydantic import BaseModel, ConfigDict, Field

from ...errors import Forbidden
from ...releases.card import Cards, iso, shown
from ...releases.directory import ReleaseDirectory, described
from ...releases.release import GateVerdict, Move, Pointer, Release
from ..access import Caller
from .audit import Noting
from .ownership import name_of
from .roles import Editor, Viewer

ReleaseId = Annotated[str, Path(max_length=40, description="rel- and 16 hexadecimal digits.")]
Tenant = Annotated[str | None, Query(max_length=256, description="An administrator may name one; default: shared.")]
_Reason = Annotated[str, Field(max_length=1000)]


class _Body(BaseModel):
    model_config = ConfigDict(extra="forbid")


class NewRelease(_Body):
    bundle: dict[str, Any] = Field(description="name, model, prompt, parameters, forced, tools, …; see the how-to.")
    parent: str | None = Field(None, max_length=40, description="Default: the live release of the name.")
    reason: _Reason = ""


class GoLive(_Body):
    reason: _Reason = Field(min_length=1)
    expected: str | None = Field(None, max_length=40, description="Refuse (409) if another release is live by now.")


class GoBack(_Body):
    name: str = Field(min_length=1, max_length=100)
    reason: _Reason = Field(min_length=1)


class Judgement(_Body):
    verdict: GateVerdict
    run_ids: list[str] = Field(min_length=1, max_length=50, description="Complete eval runs, one of this release.")
    reason: _Reason = ""


def router(cards: Cards, note: Noting) -> APIRouter:
    """Routes whose functions block on the database, and which FastAPI therefore runs in threads."""
    routes = APIRouter(prefix="/api", tags=["releases"])
    releases = cards.releases

    @routes.get("/releases", summary="Releases, the newest first, and which are live")
    def list_releases(
        caller: Viewer,
        name: Annotated[str | None, Query(max_length=100)] = None,
        limit: Annotated[int, Query(ge=1, le=500)] = 100,
        before_ms: Annotated[int | None, Query(ge=1, le=2**62, description="`next` of the page before.")] = None,
        tenant: Tenant = None,
    ) -> dict[str, Any]:
        seer = _seer(caller, tenant)
        found = releases.repository.find(seer, name=name, limit=limit + 1, before_ms=before_ms)
        page = found[:limit]
        live = _live(releases, seer)
        return {
            "releases": [shown(each, live.get((each.tenant, each.bundle.name))) for each in page],
            "live": [_pointed(each) for each in live.values() if name in (None, each.name)],
            "next": page[-1].created_at_ms if len(found) > limit else None,
        }

    @routes.post("/releases", summary="Make a release; the same bundle is the same release", status_code=201)
    def create(sent: NewRelease, caller: Editor, tenant: Tenant = None) -> dict[str, Any]:
        whose = _whose(caller, tenant)
        made, is_new = releases.create(sent.bundle, whose, by=name_of(caller), reason=sent.reason, parent=sent.parent)
        if is_new:
            after = described(made.bundle)
            note(caller, "release.create", made.id, tenant=whose, after=after, reason=sent.reason)
        return {**_shown(releases, made), "new": is_new}

    @routes.post("/releases/rollback", summary="Go back to the release that was live before")
    def rollback(sent: GoBack, caller: Editor, tenant: Tenant = None) -> dict[str, Any]:
        whose = _whose(caller, tenant)
        found, move = releases.rollback(sent.name, whose, by=name_of(caller), reason=sent.reason)
        _note_move(caller, "release.rollback", move)
        return {**_shown(releases, found), "before": move.before}

    @routes.get("/releases/{release_id}", summary="A release's card: all that is known of it")
    def card(
        release_id: ReleaseId,
        caller: Viewer,
        window: Annotated[str, Query(pattern="^[0-9]{1,4}[smhd]$", description="Of the live figures.")] = "24h",
        tenant: Tenant = None,
    ) -> dict[str, Any]:
        return cards.card(release_id, _seer(caller, tenant), window=window)

    @routes.get("/releases/{release_id}/diff", summary="What differs between this release and another")
    def diff(
        release_id: ReleaseId, caller: Viewer, other: Annotated[str, Query(max_length=40)], tenant: Tenant = None
    ) -> dict[str, Any]:
        changes = releases.difference(release_id, other, _seer(caller, tenant))
        return {"before": release_id, "after": other, "changes": msgspec.to_builtins(changes)}

    @routes.post("/releases/{release_id}/live", summary="Make a release the live one of its name")
    def live(release_id: ReleaseId, sent: GoLive, caller: Editor, tenant: Tenant = None) -> dict[str, Any]:
        whose = _whose(caller, tenant)
        found, move = releases.live(release_id, whose, by=name_of(caller), reason=sent.reason, expected=sent.expected)
        _note_move(caller, "release.live", move)
        return {**_shown(releases, found), "before": move.before}

    @routes.post("/releases/{release_id}/verdicts", summary="Record the gate's verdict", status_code=201)
    def judge(release_id: ReleaseId, sent: Judgement, caller: Editor, tenant: Tenant = None) -> dict[str, Any]:
        whose = _whose(caller, tenant)
        judged = releases.judge(release_id, whose, sent.verdict, sent.run_ids, by=name_of(caller), reason=sent.reason)
        after = {"verdict": judged.verdict, "run_ids": list(judged.run_ids)}
        note(caller, "release.verdict", release_id, tenant=whose, after=after, reason=sent.reason)
        return msgspec.to_builtins(judged)  # type: ignore[no-any-return]

    def _note_move(caller: Caller, action: str, move: Move) -> None:
        note(
            caller,
            action,
            move.name,
            tenant=move.tenant,
            before={"release_id": move.before},
            after={"release_id": move.after},
            reason=move.reason,
        )

    return routes


def _seer(caller: Caller, tenant: str | None) -> str | None:
    """Who looks: None sees all."""
    if caller.tenant is not None and tenant not in (None, caller.tenant):
        raise Forbidden("what is another tenant's is for an administrator", param="tenant")
    return caller.tenant or tenant


_whose = _seer
"""Whose it becomes: an administrator's is shared (None) unless it names a tenant."""


def _live(releases: ReleaseDirectory, seer: str | None) -> dict[tuple[str | None, str], Pointer]:
    return {(each.tenant, each.name): each for each in releases.repository.pointers(seer)}


def _pointed(pointer: Pointer) -> dict[str, Any]:
    return {
        "name": pointer.name,
        "tenant": pointer.tenant,
        "release_id": pointer.release_id,
        "since": iso(pointer.since_ms),
        "by": pointer.by,
    }


def _shown(releases: ReleaseDirectory, release: Release) -> dict[str, Any]:
    return shown(release, _live(releases, release.tenant).get((release.tenant, release.bundle.name)))
