"""A release's card: everything that is known of it on one page, gathered from where it is kept.

Who made it, of what, when and why; what changed against its parent, and the line of its parents; what the gate said and
of which evals; its rollouts; where it is live; and its live figures and costs of a window. What nobody hands in (no
rollouts, no figures) is an empty list or null: unknown, never zero.
"""

from collections.abc import Sequence
from datetime import UTC, datetime
from typing import Any, Protocol

import msgspec

from ..errors import NotFound
from .diff import changes
from .directory import ReleaseDirectory
from .release import Pointer, Release, may_serve

_LINE = 20
"""How far back the line of parents is followed."""


class Figures(Protocol):
    """What calls say."""

    def of_release(self, release_id: str, tenant: str | None, window: str, /) -> dict[str, Any]:
        """Calls, errors, latency, tokens and money of a window such as ``24h``, as the overview has them."""
        ...


class Rollouts(Protocol):
    """The rollouts that there are."""

    def of_release(self, release_id: str, tenant: str | None, /) -> Sequence[dict[str, Any]]:
        """Each with its verdict and how far it came."""
        ...


class Cards:
    def __init__(
        self, releases: ReleaseDirectory, *, figures: Figures | None = None, rollouts: Rollouts | None = None
    ) -> None:
        self.releases = releases
        self.figures = figures
        self._rollouts = rollouts

    def card(self, release_id: str, seer: str | None, *, window: str = "24h") -> dict[str, Any]:
        """As a tenant sees it; None sees all."""
        repository = self.releases.repository
        release = self.releases.get(release_id, seer)
        line = self._line(release, seer)
        verdicts = repository.verdicts(release)
        moves = [
            each
            for each in repository.moves(release.tenant, release.bundle.name)
            if release.id in (each.before, each.after)
        ]
        latest = verdicts[0].verdict if verdicts else None
        live = {(each.tenant, each.name): each for each in repository.pointers(seer)}
        return {
            **shown(release, live.get((release.tenant, release.bundle.name))),
            "may_take_traffic": may_serve(release.bundle, latest),
            "lineage": [{"id": each.id, "prompt": _prompt(each), "model": each.bundle.model} for each in line],
            "changed_from_parent": msgspec.to_builtins(changes(line[0].bundle, release.bundle)) if line else [],
            "gate": {"required": release.bundle.requires_gate, "verdict": latest},
            "verdicts": [{**msgspec.to_builtins(each), "at": iso(each.at_ms)} for each in verdicts],
            "evals": [each.shown for each in self.releases.runs(release, seer)],
            "rollouts": list(self._rollouts.of_release(release.id, seer)) if self._rollouts is not None else [],
            "moves": [{**msgspec.to_builtins(each), "at": iso(each.at_ms)} for each in moves],
            "figures": self.figures.of_release(release.id, seer, window) if self.figures is not None else None,
        }

    def _line(self, release: Release, seer: str | None) -> list[Release]:
        """The parents, the nearest first."""
        found: list[Release] = []
        parent, seen = release.parent, {release.id}
        while parent is not None and parent not in seen and len(found) < _LINE:
            seen.add(parent)
            try:
                found.append(self.releases.get(parent, seer))
            except NotFound:  # of another's that is not seen any more
                break
            parent = found[-1].parent
        return found


def shown(release: Release, pointer: Pointer | None = None) -> dict[str, Any]:
    """A release as plain data; ``pointer`` is that of its name."""
    return {
        "id": release.id,
        "name": release.bundle.name,
        "tenant": release.tenant,
        "shared": release.tenant is None,
        "live": pointer is not None and pointer.release_id == release.id,
        "model": release.bundle.model,
        "prompt": _prompt(release),
        "parent": release.parent,
        "created_at": iso(release.created_at_ms),
        "created_by": release.created_by,
        "reason": release.reason,
        "bundle": msgspec.to_builtins(release.bundle),
    }


def _prompt(release: Release) -> str | None:
    return str(release.bundle.prompt) if release.bundle.prompt is not None else None


def iso(at_ms: int) -> str:
    return datetime.fromtimestamp(at_ms / 1000, UTC).isoformat(timespec="milliseconds").replace("+00:00", "Z")
