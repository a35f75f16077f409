"""What rules are judged by. Each is a small Protocol, so that a rule does not know where its data is kept.

All of them block on the database: call them from a thread. They raise `StoreUnavailable` when it does not answer.
"""

from collections.abc import Callable, Mapping, Sequence
from typing import Protocol

import msgspec

from ...alert_settings import Dimension, Severity
from ...telemetry.rollups.histogram import quantiles_us

Key = tuple[str | None, ...]
"""The values of some dimensions, in their order; None where calls have none."""


class WindowFigures(msgspec.Struct, gc=False):
    """Sums over the calls of a window. ``failures``: those that the gateway could not answer (5xx); ``latency`` of all
    that were answered, as a `telemetry.rollups.histogram`."""

    calls: int = 0
    failures: int = 0
    latency: int = 0

    def add(self, other: "WindowFigures") -> None:
        self.calls += other.calls
        self.failures += other.failures
        self.latency += other.latency

    def latency_s(self, quantile: float) -> float | None:
        (found,) = quantiles_us(self.latency, [quantile])
        return None if found is None else found / 1_000_000


class CallFigures(Protocol):
    """``by``: the dimensions to tell apart."""

    def window(self, since_s: float, until_s: float, by: Sequence[Dimension]) -> Mapping[Key, WindowFigures]: ...

    def spend(self, hours: Sequence[int], by: Sequence[Dimension]) -> Mapping[Key, Mapping[int, int]]:
        """Nano-dollars by hour (hours since the epoch), of these hours."""
        ...


class MeanScore(msgspec.Struct, frozen=True, gc=False):
    count: int
    total: float


class Scores(Protocol):
    def window(self, name: str, since_s: float, until_s: float, by: Sequence[Dimension]) -> Mapping[Key, MeanScore]: ...


class BudgetUse(msgspec.Struct, frozen=True, kw_only=True):
    """One counter of a budget: whose it is, and the share that is used."""

    labels: dict[str, str]
    share: float
    detail: str = ""


class Burn(msgspec.Struct, frozen=True, kw_only=True):
    """An objective whose error budget is being burnt too fast; ``rate`` 1: just as fast as it may."""

    labels: dict[str, str]
    rate: float
    severity: Severity
    detail: str = ""


class Shift(msgspec.Struct, frozen=True, kw_only=True):
    """One aspect of calls that was compared with before; ``size`` 0: no shift that could not be chance."""

    labels: dict[str, str]
    size: float
    detail: str = ""


class Sources(msgspec.Struct, kw_only=True):
    """What there is; None where the installation has no such thing. Rules over it then say nothing."""

    calls: CallFigures | None = None
    scores: Scores | None = None
    budgets: Callable[[], Sequence[BudgetUse]] | None = None
    burns: Callable[[], Sequence[Burn]] | None = None
    shifts: Callable[[], Sequence[Shift]] | None = None
    rollouts: Callable[[], Sequence[Shift]] | None = None
    """Those that went back, or that wait for a human, each of size 1."""
