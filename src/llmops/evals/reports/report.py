"""What a report says, whatever form it is written in."""

from .comparison import Comparison, compare
from .decision import Decision
from .run_view import CellView, RunView

MOST_CASES = 200
"""Cells and changes that a page lists; how many there are is always said."""


class Report:
    """A run, a baseline that it is held against, and the gate's decision; the last two where there are any."""

    def __init__(self, run: RunView, baseline: RunView | None = None, decision: Decision | None = None) -> None:
        self.run = run
        self.baseline = baseline
        self.decision = decision
        self.comparison: Comparison | None = compare(baseline, run) if baseline is not None else None

    @property
    def bad_cells(self) -> list[CellView]:
        """Without an answer, not passed, or not judged."""
        return [cell for cell in self.run.cells if cell.is_bad]
