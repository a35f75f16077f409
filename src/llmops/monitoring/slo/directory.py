"""Objectives as a whole: those of the configuration in force, and the rollups that say how they stand and stood."""

import threading
from collections.abc import Callable, Sequence
from typing import NamedTuple, Protocol

from ...slo_settings import SLOSettings
from ...telemetry.objectives import Group, Objective
from ...telemetry.rollups.window import Window
from .history import History, Span, histories
from .objectives import objectives_of
from .rollup_counts import RollupCounts, Rollups, Scores
from .rollup_course import Courses, RollupCourse, ScoreCourses
from .status import Standing, standings

_MINUTE_S = 60
_GOOD_S = 2.0


class Readings(Rollups, Courses, Protocol):
    """The rollups, read as a whole and by steps."""

    def step_of(self, window: Window) -> int: ...


class Judgements(Scores, ScoreCourses, Protocol):
    """The scores, counted as a whole and by steps."""


class _Latest(NamedTuple):
    at_s: float
    settings: Sequence[SLOSettings]
    found: list[Standing]


class SLODirectory:
    """``settings`` gives the section in force. Methods block: call them from a thread. They raise `StoreUnavailable`
    when the database does not answer."""

    def __init__(
        self,
        rollups: Readings,
        settings: Callable[[], Sequence[SLOSettings]],
        now_s: Callable[[], float],
        scores: Judgements | None = None,
    ) -> None:
        self._rollups = rollups
        self._settings = settings
        self.now_s = now_s
        self._scores = scores
        self._counting = threading.Lock()
        self._latest: _Latest | None = None

    def standings(self) -> list[Standing]:
        """How every objective stands now, or did within the last second or two: readers come in crowds."""
        now_s, settings = self.now_s(), self._settings()
        with self._counting:  # of two readers the second takes what the first has found
            latest = self._latest
            if latest is None or latest.settings != settings or not 0 <= now_s - latest.at_s < _GOOD_S:
                counts = RollupCounts(self._rollups, self._scores)
                latest = self._latest = _Latest(now_s, settings, standings(objectives_of(settings), counts, now_s))
        return latest.found

    def history(
        self, window: Window, is_wanted: Callable[[Objective, Group], bool], name: str | None = None
    ) -> tuple[Span, list[History]]:
        """How the budgets of those that are wanted went in a window, the emptiest at its end first; with ``name``
        only of that objective. The minute under way is part of a window that ends in it."""
        last = -(-window.last // _MINUTE_S) * _MINUTE_S
        span = Span(first=window.first, last=last, step_s=self._rollups.step_of(Window(window.first, last)))
        counts = RollupCounts(self._rollups, self._scores)
        wanted = [each for each in objectives_of(self._settings()) if name in (None, each.name)]
        return span, histories(wanted, span, counts, RollupCourse(self._rollups, counts, self._scores), is_wanted)
