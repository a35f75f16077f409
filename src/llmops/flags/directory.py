"""Flags as a whole: changing them, showing them, and having them decide.

A tenant changes its own; ``tenant`` None acts for an administrator, whose flags are shared. Methods block on the
database: call them from a thread. Whoever calls notes the change in the audit trail.
"""

from datetime import UTC, datetime
from typing import Any

import msgspec

from ..clock import Clock
from ..errors import NotFound
from ..store.database import Database
from .decision import Ready
from .flag import read_flag
from .repository.flags import FlagRepository, StoredFlag


class FlagDirectory:
    def __init__(self, database: Database, clock: Clock) -> None:
        self.repository = FlagRepository(database)
        self._clock = clock

    def seen(self, tenant: str | None) -> list[StoredFlag]:
        """A tenant's own and those shared ones that it has none of its own for; None: everybody's."""
        found = self.repository.all(tenant)
        if tenant is None:
            return found
        own = {each.flag.key for each in found if each.tenant == tenant}
        return [each for each in found if each.tenant == tenant or each.flag.key not in own]

    def get(self, key: str, tenant: str | None) -> StoredFlag:
        """What a tenant sees under a key; None: the shared one."""
        try:
            return self.repository.get(key, tenant)
        except NotFound:
            if tenant is None:
                raise
        return self.repository.get(key, None)

    def put(
        self, values: Any, tenant: str | None, *, by: str, revision: int | None = None
    ) -> tuple[StoredFlag | None, StoredFlag]:
        """The flag before and after. `InvalidRequest` for what is none, `Conflict` where ``revision`` is not the one
        that it is at."""
        flag = read_flag(values)
        Ready(flag)
        return self.repository.put(flag, tenant, now_ms=self._now_ms(), by=by, revision=revision)

    def switch(self, key: str, tenant: str | None, *, enabled: bool, by: str) -> tuple[StoredFlag | None, StoredFlag]:
        """Switch a flag on or off."""
        held = self.repository.get(key, tenant)
        flag = msgspec.structs.replace(held.flag, enabled=enabled)
        return self.repository.put(flag, tenant, now_ms=self._now_ms(), by=by, revision=held.revision)

    def remove(self, key: str, tenant: str | None) -> StoredFlag:
        return self.repository.remove(key, tenant)

    def _now_ms(self) -> int:
        return round(self._clock.now_s() * 1000)


def shown(stored: StoredFlag) -> dict[str, Any]:
    at = datetime.fromtimestamp(stored.changed_at_ms / 1000, UTC).isoformat(timespec="milliseconds")
    return {
        "key": stored.flag.key,
        "tenant": stored.tenant,
        "shared": stored.tenant is None,
        "revision": stored.revision,
        "changed_at": at.replace("+00:00", "Z"),
        "changed_by": stored.changed_by,
        "flag": msgspec.to_builtins(stored.flag),
    }
