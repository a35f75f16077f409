"""Silences: for a time, matching alerts are announced to nobody new. They go on living and are in the history.

A tenant's silence holds for that tenant's own receivers; an operator's for all. What has been announced is taken back
when it is over, silence or not, so that nobody goes on looking for it.
"""

import msgspec

from ...name_pattern import name_matcher
from .alert import Alert

RESERVED = ("rule", "severity")
"""What matchers may name beside labels."""


class Silence(msgspec.Struct, frozen=True, kw_only=True):
    """``matchers``: patterns by label, ``rule`` or ``severity``; all must fit. ``tenant`` None: an operator's."""

    id: str
    matchers: dict[str, str]
    starts_at_s: float
    until_s: float
    created_by: str
    reason: str
    created_at_s: float
    tenant: str | None = None

    def is_active(self, now_s: float) -> bool:
        return self.starts_at_s <= now_s < self.until_s

    def matches(self, alert: Alert) -> bool:
        if self.tenant is not None and alert.tenant != self.tenant:
            return False
        known = {**alert.labels, "rule": alert.rule, "severity": alert.severity}
        return all(
            name in known and name_matcher(pattern).fullmatch(known[name]) for name, pattern in self.matchers.items()
        )

    def holds_for(self, alert: Alert, receivers_tenant: str | None, now_s: float) -> bool:
        """Whether a receiver of that tenant (None: the operator's) is not to be told of this alert now."""
        return self.is_active(now_s) and self.tenant in (None, receivers_tenant) and self.matches(alert)
