"""What there is to know of a release: its bundle, who made it of what and why, the gate's verdicts, where it is live.

``tenant`` None is an administrator's: shared, seen by all. A tenant's own goes before a shared one of the same name.
"""

from collections.abc import Sequence
from typing import Literal

import msgspec

from ..errors import Conflict
from .bundle import Bundle

GateVerdict = Literal["PASS", "BLOCK", "INCONCLUSIVE", "ERROR"]
Change = Literal["live", "rollback", "rollout"]


class Release(msgspec.Struct, frozen=True, kw_only=True):
    """``parent`` is the release that it was made from: by default the one that was live."""

    id: str
    tenant: str | None
    bundle: Bundle
    parent: str | None
    created_at_ms: int
    created_by: str
    reason: str


class Pointer(msgspec.Struct, frozen=True, kw_only=True):
    """Which release of a name is live. ``moves`` counts, so that of two who move it at a time one is told."""

    tenant: str | None
    name: str
    release_id: str
    moves: int
    since_ms: int
    by: str


class Move(msgspec.Struct, frozen=True, kw_only=True):
    """A pointer's move from ``before`` (None: there was none) to ``after``."""

    tenant: str | None
    name: str
    before: str | None
    after: str
    change: Change
    at_ms: int
    by: str
    reason: str


class Verdict(msgspec.Struct, frozen=True, kw_only=True):
    """What the gate has said, and of which runs."""

    verdict: GateVerdict
    run_ids: Sequence[str]
    at_ms: int
    by: str
    reason: str


def may_serve(bundle: Bundle, latest: str | None) -> bool:
    """Whether a release may take traffic, by the gate's ``latest`` verdict: never one that is blocked, and one that
    requires the gate only with a PASS. Nothing passes for want of a verdict."""
    return latest != "BLOCK" and (not bundle.requires_gate or latest == "PASS")


def check_may_serve(release: Release, latest: str | None) -> None:
    """`Conflict` where it may not."""
    if may_serve(release.bundle, latest):
        return
    if latest == "BLOCK":
        said = "the gate's last verdict on it is BLOCK"
    else:
        said = f"it requires a gate PASS and has {'no verdict' if latest is None else f'only {latest}'}"
    raise Conflict(f"the release {release.id} of {release.bundle.name!r} cannot take traffic: {said}")
