"""What became of spans and scores, as numbers: produced = delivered + refused + dropped + skipped, and what waits.

``refused``: the tool would not have them. ``dropped``: they waited too long, or too much waited. ``skipped``: the
configuration does not send them there (another tenant's, not in the sample). By reason where there are several.
"""

import msgspec

_MOST_REASONS = 20
_OTHER = "other reasons"


class Counts(msgspec.Struct, kw_only=True, omit_defaults=True):
    delivered: int = 0
    refused: dict[str, int] = {}
    dropped: dict[str, int] = {}
    skipped: int = 0

    @property
    def produced(self) -> int:
        """All of which it is known what became of them."""
        return self.delivered + sum(self.refused.values()) + sum(self.dropped.values()) + self.skipped

    def refuse(self, why: str, count: int) -> None:
        _count(self.refused, why, count)

    def drop(self, why: str, count: int) -> None:
        _count(self.dropped, why, count)

    def add(self, other: "Counts") -> None:
        self.delivered += other.delivered
        self.skipped += other.skipped
        for why, count in other.refused.items():
            self.refuse(why, count)
        for why, count in other.dropped.items():
            self.drop(why, count)


def _count(reasons: dict[str, int], why: str, count: int) -> None:
    """A tool may say something new every time: the first reasons are kept apart."""
    if count:
        key = why if why in reasons or len(reasons) < _MOST_REASONS else _OTHER
        reasons[key] = reasons.get(key, 0) + count


class Waiting(msgspec.Struct, kw_only=True, omit_defaults=True):
    """What is on disk and not sent yet: calls (of several spans each), spans from outside, scores."""

    calls: int = 0
    spans: int = 0
    scores: int = 0
    bytes: int = 0


class Status(msgspec.Struct, kw_only=True):
    """How an export is doing."""

    name: str
    kind: str
    spans: Counts = msgspec.field(default_factory=Counts)
    scores: Counts = msgspec.field(default_factory=Counts)
    waiting: Waiting = msgspec.field(default_factory=Waiting)
    delay_s: float | None = None
    """How old what was delivered last was then."""
    failing: str | None = None
    notices: list[str] = []
