"""Flags in memory: what is decided in microseconds, and exchanged as a whole when something changes.

A tenant's own flag goes before a shared one of the same key; another tenant's is as good as none.
"""

from collections.abc import Iterable, Mapping

from ..errors import InvalidRequest
from .condition import Context
from .decision import Decision, Ready
from .exposures import Exposures
from .repository.flags import StoredFlag

_NONE: Mapping[str, Ready] = {}


class FlagTable:
    """``exposures`` counts what is given out. ``broken`` names flags that this version cannot read, with why."""

    def __init__(self) -> None:
        self.exposures = Exposures()
        self.broken: dict[str, str] = {}
        self._flags: dict[str | None, dict[str, Ready]] = {}

    def find(self, key: str, tenant: str | None) -> Ready | None:
        """What ``tenant`` sees under this key; None for a tenant: the shared ones."""
        flags = self._flags
        found = flags.get(tenant, _NONE).get(key)
        return found if found is not None else flags.get(None, _NONE).get(key)

    def seen(self, tenant: str | None) -> dict[str, Ready]:
        """All flags of a tenant, by key in order."""
        both = {**self._flags.get(None, _NONE), **self._flags.get(tenant, _NONE)}
        return dict(sorted(both.items()))

    def decide(self, key: str, tenant: str | None, context: Context) -> Decision | None:
        """None where there is no such flag; `UnitMissing` where there is nothing to share out by."""
        found = self.find(key, tenant)
        if found is None:
            return None
        decision = found.decide(context)
        self.exposures.note(key, decision)
        return decision

    def replace(self, stored: Iterable[StoredFlag]) -> None:
        """Take these flags, and no others."""
        flags: dict[str | None, dict[str, Ready]] = {}
        broken: dict[str, str] = {}
        for each in stored:
            try:
                ready = Ready(each.flag)
            except InvalidRequest as exc:  # written by another version
                broken[each.flag.key] = exc.message
                continue
            flags.setdefault(each.tenant, {})[each.flag.key] = ready
        self._flags, self.broken = flags, broken

    def problems(self) -> list[str]:
        """For ``/health``."""
        return [f"the flag {key!r} cannot be used: {why}" for key, why in self.broken.items()]
