"""Writing to the audit trail: one call after a change.

::

    trail.note(actor, "key.revoke", key.id, tenant=key.tenant, before={"state": "active"}, after={"state": "revoked"})

Actions are named ``<what>.<verb>``. The change has happened by then, so a trail that cannot be written does not undo
it: the entry waits in memory, is in the operator log meanwhile, and goes out with the next one. How many wait is a
problem that ``/health`` shows. Not covered: a process that is killed while entries wait leaves them in its log only.
"""

import asyncio
import logging
import threading
from collections import deque

import msgspec

from ..clock import Clock
from ..errors import StoreUnavailable
from .entry import MAX_REASON_CHARS, Actor, Entry, Values, cut, shortened
from .repository import AuditRepository

_log = logging.getLogger(__name__)
_MOST_WAITING = 10_000


class AuditTrail:
    """Safe to share between threads. Blocks on the database: call it from one."""

    def __init__(self, repository: AuditRepository, clock: Clock) -> None:
        self.repository = repository
        self._clock = clock
        self._waiting: deque[Entry] = deque()
        self._lost = 0
        self._lock = threading.Lock()

    def note(
        self,
        actor: Actor,
        action: str,
        object_id: str,
        *,
        tenant: str | None,
        before: Values | None = None,
        after: Values | None = None,
        reason: str | None = None,
    ) -> None:
        """Remember that this was done. ``tenant``: whose it was, None for the operator's. Raises nothing for a database
        that does not answer."""
        entry = Entry(
            at_ms=int(self._clock.now_s() * 1000),
            tenant=tenant,
            actor=msgspec.structs.replace(actor, name=cut(actor.name)),
            action=action,
            object=cut(object_id),
            before=shortened(before),
            after=shortened(after),
            reason=cut(reason.strip(), MAX_REASON_CHARS) if reason and reason.strip() else None,
        )
        with self._lock:
            self._waiting.append(entry)
            try:
                self.repository.add(tuple(self._waiting))
            except StoreUnavailable as exc:
                _log.error("the audit trail cannot be written (%s): %s", exc, msgspec.json.encode(entry).decode())
                self._shorten()
            else:
                self._waiting.clear()

    def problems(self) -> list[str]:
        """For ``/health``."""
        waiting, lost = len(self._waiting), self._lost
        found = [f"{waiting} entries of the audit trail wait for the database"] if waiting else []
        return [*found, *([f"{lost} entries of the audit trail are in the operator log only"] if lost else [])]

    async def aclose(self) -> None:
        """Try once more to write what waits."""
        if self._waiting:
            await asyncio.to_thread(self._flush)

    def _flush(self) -> None:
        with self._lock:
            if not self._waiting:
                return
            try:
                self.repository.add(tuple(self._waiting))
            except StoreUnavailable:
                return
            self._waiting.clear()

    def _shorten(self) -> None:
        while len(self._waiting) > _MOST_WAITING:
            self._waiting.popleft()
            self._lost += 1
