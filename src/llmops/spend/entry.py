"""The lines of the ledger's journal: a reservation before a call goes upstream, and its settlement when it has ended.

A settlement is the line of the request log itself, which reaches the journal a moment before the log. A journal begins
with an `Opened`, which says where the log stood, so that a recovery need not read all of it.

Counters that are shared outlive the process, so the journal is also the memory of what they are to be told: `Reserved`
is written before they are asked, `Admitted` when they have let the call in, and `Settling` where the lines of a call
are about to leave the journal and the counters have not confirmed its settlement.
"""

import msgspec

from ..types import Call
from .estimate import Estimate


class Opened(msgspec.Struct, frozen=True, kw_only=True, tag_field="entry", tag="opened"):
    """When the journal was begun, and the request log's file (by inode) and size then: what the journal settles is
    logged behind that place, if at all."""

    at_s: float
    log_inode: int
    log_size: int


class Reserved(
    msgspec.Struct, frozen=True, kw_only=True, tag_field="entry", tag="reserved", omit_defaults=True, gc=False
):
    """A call that is about to go upstream, and what it is expected to use. ``nanousd`` None: no known price.

    ``asked``: shared counters are asked first, and it goes nowhere before an `Admitted`.
    """

    request_id: str
    trace_id: str
    span_id: str
    at_s: float
    tenant: str
    key_id: str | None = None
    user: str | None = None
    operation: str
    model: str
    requested_model: str
    tags: dict[str, str] = {}
    prompt_version: str | None = None
    release_id: str | None = None
    rollout_id: str | None = None
    arm: str | None = None
    probability: float | None = None
    session: str | None = None
    stream: bool = False
    prompt_tokens: int
    completion_tokens: int
    nanousd: int | None = 0
    asked: bool = False


class Admitted(msgspec.Struct, frozen=True, tag_field="entry", tag="admitted", gc=False):
    """Shared counters have let a call in."""

    request_id: str


class Settling(msgspec.Struct, frozen=True, tag_field="entry", tag="settling", gc=False):
    """What shared counters may not have been told yet of a call that has ended."""

    request_id: str
    tokens: int
    nanousd: int


Entry = Opened | Reserved | Admitted | Settling


def reserved(call: Call, estimate: Estimate, *, asked: bool = False) -> Reserved:
    """The reservation of a call."""
    view = call.view
    return Reserved(
        request_id=call.request_id,
        trace_id=call.trace_id,
        span_id=call.span_id,
        at_s=call.started_at_s,
        tenant=call.tenant,
        key_id=call.key_id,
        user=view.user[:256] if view.user else None,
        operation=call.operation,
        model=call.model or "",
        requested_model=(call.asked or view.model)[:256],
        tags=call.tags,
        prompt_version=call.prompt_version,
        release_id=call.release_id,
        rollout_id=call.rollout_id,
        arm=call.arm,
        probability=call.probability,
        session=call.session,
        stream=view.stream,
        prompt_tokens=estimate.prompt_tokens,
        completion_tokens=estimate.completion_tokens,
        nanousd=estimate.nanousd,
        asked=asked,
    )
