"""Releases in memory, as calls need them: by the name that a client asks for, and by their ids.

A name is looked up in one dictionary; a call for anything else has cost that and no more. Beside the names stand pinned
ones, ``name@rel-…``, which ask for one release whatever is live: evals and playgrounds use them, also before the gate
has passed. The tables are exchanged as a whole, so a reader sees them as they were or as they are.
"""

from collections.abc import Iterable, Mapping, Sequence
from typing import Any, Protocol

import msgspec

from ..dialects.dialect import Dialect
from ..types import Assignment, Call, Operation
from .overlay import Overlay, overlay_of
from .release import Pointer, Release, may_serve


class Assigner(Protocol):
    """Says which release of a name a call gets while a rollout runs. Called for every call of a released name."""

    def assign(self, name: str, call: Call) -> Assignment | None:
        """None: no rollout has anything to say of this call, it gets the live release."""
        ...


class Mirror(Protocol):
    """Asks the candidate of a shadow what a call asked."""

    def copy(self, call: Call, name: str, assignment: Assignment, /) -> bool:
        """Whether it will be. ``call`` is as it came in. Neither waits nor raises."""
        ...


class Renderer(Protocol):
    """Turns a version of a prompt into messages."""

    async def render(
        self, tenant: str, name: str, version: int, variables: Mapping[str, Any], /
    ) -> Sequence[Mapping[str, Any]]:
        """Messages as Chat Completions has them; `InvalidRequest` for variables that do not fit."""
        ...


def pinned(name: str, release_id: str) -> str:
    """What asks for one release of a name, whatever is live."""
    return f"{name}@{release_id}"


class Released:
    """A release ready to be laid over calls."""

    def __init__(self, release: Release, *, may_serve: bool, dialects: Mapping[Operation, Dialect]) -> None:
        bundle = release.bundle
        self.release = release
        self.id = release.id
        self.bundle = bundle
        self.prompt_version = str(bundle.prompt) if bundle.prompt is not None else None
        self.may_serve = may_serve
        self._dialects = dialects
        self._overlays: dict[Operation, Overlay] = {}

    def overlay(self, operation: Operation) -> Overlay:
        found = self._overlays.get(operation)
        if found is None:
            found = self._overlays[operation] = overlay_of(self.bundle, operation, self._dialects)
        return found


class _Tables(msgspec.Struct, frozen=True):
    names: dict[str, dict[str | None, Released]] = {}
    """What is asked for, then whose it is; None: shared."""
    by_id: dict[tuple[str | None, str], Released] = {}
    live: dict[tuple[str | None, str], str] = {}


class ReleaseTable:
    """``assigner`` and ``mirror`` are set where rollouts may run, ``renderer`` is where prompts come from. ``mistaken``
    counts assignments that could not be followed: to a release that is not known here or may not take traffic; such
    calls got the live release."""

    def __init__(self, dialects: Mapping[Operation, Dialect]) -> None:
        self.assigner: Assigner | None = None
        self.mirror: Mirror | None = None
        self.renderer: Renderer | None = None
        self.mistaken = 0
        self._dialects = dialects
        self._tables = _Tables()

    @property
    def known(self) -> set[tuple[str | None, str]]:
        """Tenant and id of the releases that are here."""
        return set(self._tables.by_id)

    def find(self, name: str, tenant: str) -> Released | None:
        """The live release of a name, or the pinned one, for a tenant's call."""
        found = self._tables.names.get(name)
        if found is None:
            return None
        return found.get(tenant) or found.get(None)

    def assigned(self, name: str, call: Call, stable: Released) -> tuple[Released, Assignment | None]:
        """The release that this call gets, and what the rollout says of it, if there is one."""
        if self.assigner is None or name.endswith(stable.id):
            return stable, None
        assignment = self.assigner.assign(name, call)
        if assignment is None or assignment.release_id == stable.id:
            return stable, assignment
        if assignment.mirror is not None:
            return stable, None  # another release has become live: a shadow never decides what is served
        by_id = self._tables.by_id
        found = by_id.get((call.tenant, assignment.release_id)) or by_id.get((None, assignment.release_id))
        if found is None or not found.may_serve or found.bundle.name != name:
            self.mistaken += 1
            return stable, None
        return found, assignment

    def mirror_of(self, name: str, call: Call, assignment: Assignment) -> bool:
        """Have the call, as it came in, asked of the shadow's candidate too; whether it is."""
        if self.mirror is None or self.find(pinned(name, assignment.mirror or ""), call.tenant) is None:
            return False
        return self.mirror.copy(call, name, assignment)

    def names(self, tenant: str | None) -> list[str]:
        """Live names that a tenant sees; None: all."""
        seen = {name for whose, name in self._tables.live if tenant is None or whose in (None, tenant)}
        return sorted(seen)

    def replace(
        self,
        pointers: Iterable[Pointer],
        fresh: Iterable[Release],
        keep: Iterable[tuple[str | None, str]],
        verdicts: Mapping[tuple[str | None, str], str],
    ) -> list[tuple[Pointer, Released]]:
        """Take what there is now: ``fresh`` releases beside those of the known ones to ``keep``. Returns the pointers
        that have moved since, with what is live there now."""
        old = self._tables
        releases = [old.by_id[key].release for key in keep if key in old.by_id]
        by_id: dict[tuple[str | None, str], Released] = {}
        names: dict[str, dict[str | None, Released]] = {}
        for release in (*releases, *fresh):
            key = release.tenant, release.id
            serves = may_serve(release.bundle, verdicts.get(key))
            known = old.by_id.get(key)
            if known is None or known.may_serve != serves:
                known = Released(release, may_serve=serves, dialects=self._dialects)
            by_id[key] = known
            names.setdefault(pinned(release.bundle.name, release.id), {})[release.tenant] = known
        live: dict[tuple[str | None, str], str] = {}
        moved: list[tuple[Pointer, Released]] = []
        for pointer in pointers:
            found = by_id.get((pointer.tenant, pointer.release_id))
            if found is None:
                continue
            names.setdefault(pointer.name, {})[pointer.tenant] = found
            live[pointer.tenant, pointer.name] = pointer.release_id
            if old.live.get((pointer.tenant, pointer.name)) not in (None, pointer.release_id):
                moved.append((pointer, found))
        self._tables = _Tables(names, by_id, live)
        return moved

    def problems(self) -> Sequence[str]:
        """For ``/health``."""
        if not self.mistaken:
            return []
        return [f"{self.mistaken} calls were assigned to a release that is not known or may not take traffic"]
