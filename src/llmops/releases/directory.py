"""Making releases, letting them go live, rolling back, and taking the gate's verdicts: the rules around the repository.

A tenant's releases are its own; ``tenant`` None acts for an administrator, whose releases are shared. A verdict that
names no run, a run that is not there, that has not ended, or that was of something else, is refused: a gate that is
asked for cannot be passed by writing PASS. Methods block on the database: call them from a thread. Whoever calls notes
the change in the audit trail.
"""

from collections.abc import Callable, Mapping, Sequence
from typing import Any, Protocol

import msgspec

from ..clock import Clock
from ..dialects.dialect import Dialect
from ..errors import Conflict, Forbidden, InvalidRequest, NotFound
from ..store.database import Database
from ..types import Operation
from .bundle import RELEASE_ID, Bundle, Models, Prompts, read_bundle, release_id, validate
from .diff import FieldChange, changes
from .overlay import check_parameters
from .release import GateVerdict, Move, Pointer, Release, Verdict, check_may_serve
from .repository.releases import ReleaseRepository, missing

_MOST_RUNS = 50


class EvalRun(msgspec.Struct, frozen=True, kw_only=True):
    """What releases know of an eval: ``release_id`` is what was under test."""

    run_id: str
    release_id: str | None
    is_complete: bool
    shown: dict[str, Any]


class Evals(Protocol):
    """The eval runs that there are."""

    def run(self, run_id: str, tenant: str | None, /) -> EvalRun | None: ...

    def of_release(self, release_id: str, tenant: str | None, /) -> Sequence[EvalRun]:
        """The newest first."""
        ...


class ReleaseDirectory:
    """``models`` gives the configured ones of the moment."""

    def __init__(
        self,
        database: Database,
        clock: Clock,
        *,
        models: Callable[[], Models],
        dialects: Mapping[Operation, Dialect],
        evals: Evals,
        prompts: Prompts | None = None,
    ) -> None:
        self.repository = ReleaseRepository(database)
        self._clock = clock
        self._models = models
        self._dialects = dialects
        self._evals = evals
        self._prompts = prompts

    def create(
        self, values: Mapping[str, Any], tenant: str | None, *, by: str, reason: str, parent: str | None = None
    ) -> tuple[Release, bool]:
        """The release of this bundle, and whether it is new. Its parent is the live one unless another is named."""
        bundle = read_bundle(values)
        validate(bundle, tenant, self._models(), self._prompts)
        check_parameters(bundle, self._dialects)
        if parent is not None:
            self.get(parent, tenant)
        else:
            live = self.pointer(bundle.name, tenant)
            parent = live.release_id if live is not None else None
        made = release_id(bundle)
        release = Release(
            id=made,
            tenant=tenant,
            bundle=bundle,
            parent=parent if parent != made else None,
            created_at_ms=self._now_ms(),
            created_by=by,
            reason=_reason(reason, needed=False),
        )
        if self.repository.add(release):
            return release, True
        return self.own(made, tenant), False

    def get(self, release: str, seer: str | None) -> Release:
        """One that the seer sees, its own before a shared one."""
        if not RELEASE_ID.fullmatch(release):
            raise missing(release)
        return self.repository.get(release, seer)

    def own(self, release: str, tenant: str | None) -> Release:
        """One that ``tenant`` may act on; `Forbidden` where it only sees it."""
        found = self.get(release, tenant)
        if tenant is None and found.tenant is not None:
            shared = self.repository.read([(None, release)])
            if not shared:
                raise NotFound(f"{release} is a release of the tenant {found.tenant!r}; name it", param="tenant")
            return shared[0]
        if found.tenant != tenant:
            raise Forbidden(f"{release} is a shared release, which an administrator acts on")
        return found

    def pointer(self, name: str, tenant: str | None) -> Pointer | None:
        """What is live under a name for a tenant: its own pointer, else the shared one."""
        found = {each.tenant: each for each in self.repository.pointers(tenant) if each.name == name}
        return found.get(tenant) or found.get(None)

    def live(
        self, release: str, tenant: str | None, *, by: str, reason: str, expected: str | None = None
    ) -> tuple[Release, Move]:
        """Make a release the live one of its name. `Conflict` where the gate is against it, where it is live already,
        and where another than ``expected`` is live by now."""
        found = self.own(release, tenant)
        move = self.repository.point(
            found,
            "live",
            check_may_serve,
            now_ms=self._now_ms(),
            by=by,
            reason=_reason(reason, needed=True),
            expected=expected,
        )
        return found, move

    def rollback(self, name: str, tenant: str | None, *, by: str, reason: str) -> tuple[Release, Move]:
        """Go back to what was live before the present release was. It has been let in once, so only a BLOCK that it has
        got since holds it back."""
        moves = self.repository.moves(tenant, name)
        if not moves:
            raise NotFound(f"no release of {name[:100]!r} is live", param="name")
        target = _before(moves)
        if target is None:
            raise Conflict(f"{moves[0].after} is the first live release of {name!r}; there is none to go back to")

        def check(release: Release, latest: str | None) -> None:
            if latest == "BLOCK":
                check_may_serve(release, latest)

        found = self.own(target, tenant)
        move = self.repository.point(
            found,
            "rollback",
            check,
            now_ms=self._now_ms(),
            by=by,
            reason=_reason(reason, needed=True),
            expected=moves[0].after,
        )
        return found, move

    def judge(
        self, release: str, tenant: str | None, verdict: GateVerdict, run_ids: Sequence[str], *, by: str, reason: str
    ) -> Verdict:
        """Take the gate's verdict on a release, with the runs that it rests on: complete ones that the tenant has, one
        of them at least of this very release."""
        found = self.own(release, tenant)
        if not 0 < len(run_ids) <= _MOST_RUNS:
            raise InvalidRequest(
                f"run_ids: a verdict names 1 to {_MOST_RUNS} eval runs, not {len(run_ids)}", param="run_ids"
            )
        runs = [self._run(run_id, tenant) for run_id in run_ids]
        if not any(run.release_id == release for run in runs):
            raise InvalidRequest(
                f"run_ids: none of the runs was of the release {release}; run the eval on the model "
                f"{found.bundle.name}@{release}, or with the label release_id={release}",
                param="run_ids",
            )
        judged = Verdict(
            verdict=verdict,
            run_ids=tuple(dict.fromkeys(run_ids)),
            at_ms=self._now_ms(),
            by=by,
            reason=_reason(reason, needed=False),
        )
        self.repository.judge(found, judged)
        return judged

    def difference(self, before: str, after: str, seer: str | None) -> list[FieldChange]:
        return changes(self.get(before, seer).bundle, self.get(after, seer).bundle)

    def runs(self, release: Release, seer: str | None) -> Sequence[EvalRun]:
        return self._evals.of_release(release.id, seer)

    def _run(self, run_id: str, tenant: str | None) -> EvalRun:
        found = self._evals.run(run_id, tenant)
        if found is None:
            raise InvalidRequest(f"run_ids: there is no eval run {run_id[:100]!r} here", param="run_ids")
        if not found.is_complete:
            raise InvalidRequest(f"run_ids: the run {run_id!r} is not complete; let it end first", param="run_ids")
        return found

    def _now_ms(self) -> int:
        return round(self._clock.now_s() * 1000)


def _before(moves: Sequence[Move]) -> str | None:
    """What was live before the present release came, latest move first: going back twice goes back further, and not to
    what was just left."""
    steps = 0
    for move in moves:
        if move.change == "rollback":
            steps += 1
        elif steps:
            steps -= 1
        else:
            return move.before
    return None


def _reason(reason: str, *, needed: bool) -> str:
    reason = reason.strip()
    if needed and not reason:
        raise InvalidRequest("reason: say why, for whoever wonders later", param="reason")
    if len(reason) > 1000:
        raise InvalidRequest(f"reason: {len(reason)} characters; at most 1000", param="reason")
    return reason


def described(bundle: Bundle) -> dict[str, Any]:
    """A bundle in a few words, for the audit trail."""
    return {
        "name": bundle.name,
        "model": bundle.model,
        "prompt": str(bundle.prompt) if bundle.prompt is not None else None,
        "parameters": {**bundle.parameters, **bundle.forced},
        "tools": len(bundle.tools) or None,
        "requires_gate": bundle.requires_gate or None,
    }
