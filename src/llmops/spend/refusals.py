"""How many calls each limit and budget refused, and whose: for the metrics.

A refusal is counted in the moment in which it is decided. Names of rules and tenants may be many, so beyond a bound
further ones are counted together as ``other``. What only passes in shadow mode is no refusal and is not here.
"""

from collections.abc import Iterator
from typing import Literal

from ..store.counters.meter import Concurrency, Meter, Quota, Unit
from ..telemetry.figures import Figure

Kind = Literal["requests", "tokens", "concurrent", "quota", "budget", "queue"]
_MAX_LIMITS = 200
_MAX_SERIES = 1000
_OTHER = "other"


class Refusals:
    """Belongs to one event loop; ``figures`` may be asked from other threads."""

    def __init__(self) -> None:
        self._counts: dict[tuple[str, str, str], int] = {}
        self._limits: set[str] = set()

    def count(self, meter: Meter | None, tenant: str) -> None:
        """A call of ``tenant`` was refused by ``meter``; None: because too many wait, of which none was tried yet."""
        limit = meter.rule if meter is not None else "none"
        if limit not in self._limits:
            if len(self._limits) >= _MAX_LIMITS:
                limit = _OTHER
            self._limits.add(limit)
        kind = kind_of(meter)
        series = (limit, kind, tenant)
        if series not in self._counts and len(self._counts) >= _MAX_SERIES:
            series = (limit, kind, _OTHER)
        self._counts[series] = self._counts.get(series, 0) + 1

    def figures(self) -> Iterator[Figure]:
        for series, count in list(self._counts.items()):
            yield Figure("llm_limiter_refusals_total", count, series)


def kind_of(meter: Meter | None) -> Kind:
    """What the meter counts, in a word."""
    if meter is None:
        return "queue"
    if isinstance(meter, Concurrency):
        return "concurrent"
    if isinstance(meter, Quota):
        return "budget" if meter.unit is Unit.NANOUSD else "quota"
    return "tokens" if meter.unit is Unit.TOKENS else "requests"
