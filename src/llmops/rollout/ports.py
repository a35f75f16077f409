"""What rollouts ask of their neighbours: releases and their pointers, objectives that burn, and whom to tell."""

from collections.abc import Mapping, Sequence
from typing import Protocol

from .evidence import Mark
from .rollout import LoggedDecision, Rollout


class Releases(Protocol):
    """Block on the database: call them from a thread."""

    def live(self, name: str, tenant: str | None, /) -> str | None:
        """The release that a tenant's calls for the name get; None as a tenant: the shared one."""
        ...

    def check(self, release_id: str, name: str, tenant: str | None, /) -> None:
        """Raises for a release that is not there, not of this name, or may not take traffic."""
        ...

    def blocked(self, release_id: str, tenant: str | None, /) -> bool:
        """Whether the gate's last verdict is BLOCK."""
        ...

    def promote(self, rollout: Rollout, by: str, reason: str, /) -> None:
        """Make the candidate live; nothing to do where it is. `Conflict` where another than ``stable`` is by now."""
        ...

    def restore(self, rollout: Rollout, by: str, reason: str, /) -> None:
        """Make ``stable`` live again after the end; nothing to do where it is."""
        ...


class Burns(Protocol):
    def __call__(self) -> Sequence[tuple[Mapping[str, str], str]]:
        """Objectives that burn so fast that somebody is woken: their labels, and what is to be said."""
        ...


class Told(Protocol):
    def __call__(self, rollout: Rollout, decision: LoggedDecision, marks: Sequence[Mark], /) -> None:
        """Something has been decided, with what evidence. Must not raise."""
        ...


def tell_nobody(_rollout: Rollout, _decision: LoggedDecision, _marks: Sequence[Mark], /) -> None:
    pass


def nothing_burns() -> Sequence[tuple[Mapping[str, str], str]]:
    return ()
