"""Objectives as a whole: those of the configuration in force, and the rollups that say how they stand."""

from collections.abc import Callable, Sequence

from ...slo_settings import SLOSettings
from .objectives import objectives_of
from .rollup_counts import RollupCounts, Rollups, Scores
from .status import Standing, standings


class SLODirectory:
    """``settings`` gives the section in force. Methods block: call them from a thread."""

    def __init__(
        self,
        rollups: Rollups,
        settings: Callable[[], Sequence[SLOSettings]],
        now_s: Callable[[], float],
        scores: Scores | None = None,
    ) -> None:
        self._rollups = rollups
        self._settings = settings
        self._now_s = now_s
        self._scores = scores

    def standings(self) -> list[Standing]:
        """How every objective stands now. Raises `StoreUnavailable` when the database does not answer."""
        counts = RollupCounts(self._rollups, self._scores)
        return standings(objectives_of(self._settings()), counts, self._now_s())
