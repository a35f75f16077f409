"""Feedback over HTTP: scores, thumbs, labels and comments on a trace, a span or a session.

Any key of a tenant may judge what is its tenant's, so that an application sends its users' thumbs with the key that it
makes calls with. To read takes a viewer. The same id again replaces what was said before.
"""

import secrets
import time
from collections.abc import Callable
from typing import Annotated, Any, Literal

from fastapi import APIRouter, Query, Response
from pydantic import BaseModel, ConfigDict, Field, StrictBool, StrictFloat, StrictInt, StrictStr

from ...errors import Forbidden, InvalidRequest
from ...identity.key import DEFAULT_TENANT
from ...telemetry.assessments.assessment import MAX_COMMENT_CHARS, MAX_LABEL_CHARS, MAX_NAME_CHARS, assessment_of, shown
from ...telemetry.assessments.repository.assessments import AssessmentRepository, Wanted
from ..access import Caller
from .roles import Anybody, Viewer

_MOST = 500
Name = Annotated[str | None, Query(min_length=1, max_length=256)]
Text = StrictStr | None


class Score(BaseModel):
    """A judgement as it is sent. At least one of value, label and comment."""

    model_config = ConfigDict(extra="forbid")

    id: Text = Field(None, description="The same id replaces; without one, a new one is made.")
    trace_id: Text = Field(None, description="32 hexadecimal digits, as in traceparent.")
    span_id: Text = Field(None, description="One step of that trace: 16 hexadecimal digits.")
    session: Text = Field(None, max_length=MAX_LABEL_CHARS, description="Instead of a trace: a whole conversation.")
    name: StrictStr = Field(min_length=1, max_length=MAX_NAME_CHARS, description="What is judged, such as helpful.")
    value: StrictBool | StrictInt | StrictFloat | None = Field(None, description="A number; true or false for thumbs.")
    label: Text = Field(None, max_length=MAX_LABEL_CHARS)
    comment: Text = Field(None, max_length=MAX_COMMENT_CHARS)
    source: Literal["human", "judge", "code"] = "human"
    source_id: Text = Field(None, max_length=MAX_LABEL_CHARS, description="Who or what judged.")
    run_id: Text = Field(None, max_length=MAX_LABEL_CHARS, description="The eval's run that it is part of.")
    tenant: Text = Field(None, max_length=64, description="An administrator may judge for any tenant.")


def router(assessments: AssessmentRepository, now_s: Callable[[], float] = time.time) -> APIRouter:
    """Routes whose functions block on the database, and which FastAPI therefore runs in threads."""
    routes = APIRouter(prefix="/api", tags=["scores"])

    @routes.post("/scores", summary="Judge a trace, a span or a session; one score or a list", status_code=201)
    def add_scores(sent: Score | list[Score], caller: Anybody, response: Response) -> Any:
        scores = sent if isinstance(sent, list) else [sent]
        if not 0 < len(scores) <= _MOST:
            raise InvalidRequest(f"{len(scores)} scores; send 1 to {_MOST} at a time")
        now_ms = int(now_s() * 1000)
        found = [
            assessment_of(
                score.model_dump(exclude={"tenant"}), _tenant(caller, score.tenant), now_ms, secrets.token_hex(16)
            )
            for score in scores
        ]
        assessments.store(found)
        return [shown(each) for each in found] if isinstance(sent, list) else shown(found[0])

    @routes.get("/scores", summary="Scores, the newest first")
    def list_scores(
        caller: Viewer,
        trace_id: Name = None,
        span_id: Name = None,
        session: Name = None,
        name: Name = None,
        source: Literal["human", "judge", "code"] | None = None,
        tenant: Name = None,
        since_ms: Annotated[int | None, Query(ge=0, le=2**62)] = None,
        until_ms: Annotated[int | None, Query(ge=0, le=2**62)] = None,
        cursor: Annotated[str | None, Query(max_length=100, description="`next` of the page before.")] = None,
        limit: Annotated[int, Query(ge=1, le=1000)] = 100,
    ) -> dict[str, Any]:
        if caller.tenant is not None and tenant not in (None, caller.tenant):
            raise Forbidden("scores of another tenant are for an administrator", param="tenant")
        wanted = Wanted(
            tenant=caller.tenant or tenant,
            trace_id=trace_id,
            span_id=span_id,
            session=session,
            name=name,
            source=source,
            since_ms=since_ms,
            until_ms=until_ms,
        )
        page = assessments.find(wanted, limit + 1, _place(cursor))
        more = len(page) > limit
        page = page[:limit]
        return {
            "scores": [shown(each) for each in page],
            "next": f"{page[-1].created_at_ms}.{page[-1].tenant}.{page[-1].id}" if more else None,
        }

    @routes.get("/scores/figures", summary="How many scores there are under each name, and their means")
    def figures(
        caller: Viewer,
        since_ms: Annotated[int | None, Query(ge=0, le=2**62)] = None,
        until_ms: Annotated[int | None, Query(ge=0, le=2**62)] = None,
    ) -> list[dict[str, Any]]:
        wanted = Wanted(tenant=caller.tenant, since_ms=since_ms, until_ms=until_ms)
        return [{"name": each.name, "count": each.count, "mean": each.mean} for each in assessments.figures(wanted)]

    return routes


def _tenant(caller: Caller, asked: str | None) -> str:
    own = caller.tenant or (caller.key.tenant if caller.key is not None else DEFAULT_TENANT)
    if asked is not None and caller.tenant not in (None, asked):
        raise Forbidden("what is another tenant's is judged by an administrator", param="tenant")
    return asked or own


def _place(cursor: str | None) -> tuple[int, str, str] | None:
    if cursor is None:
        return None
    at, _, rest = cursor.partition(".")
    tenant, _, score_id = rest.partition(".")
    if not at.isdecimal() or len(at) > 18 or not score_id:
        raise InvalidRequest(f"cursor: {cursor[:80]!r}: is not the `next` of another page", param="cursor")
    return int(at), tenant, score_id
