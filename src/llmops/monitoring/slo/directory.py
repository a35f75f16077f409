"""Objectives as a whole: those of the configuration in force, and the rollups that say how they stand and stood."""

from collections.abc import Callable, Sequence
from typing import Protocol

from ...slo_settings import SLOSettings
from ...telemetry.objectives import Group, Objective
from ...telemetry.rollups.window import Window
from .history import History, Span, histories
from .objectives import objectives_of
from .rollup_counts import RollupCounts, Rollups, Scores
from .rollup_course import Courses, RollupCourse, ScoreCourses
from .status import Standing, standings

_MINUTE_S = 60


class Readings(Rollups, Courses, Protocol):
    """The rollups, read as a whole and by steps."""

    def step_of(self, window: Window) -> int: ...


class Judgements(Scores, ScoreCourses, Protocol):
    """The scores, counted as a whole and by steps."""


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

    def standings(self) -> list[Standing]:
        """How every objective stands now."""
        counts = RollupCounts(self._rollups, self._scores)
        return standings(objectives_of(self._settings()), counts, self.now_s())

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
