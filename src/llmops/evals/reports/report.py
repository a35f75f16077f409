"""What a report says, whatever form it is written in, and the forms that there are."""

import json
from collections.abc import Callable
from typing import Literal, get_args

import msgspec

from .comparison import Comparison, compare
from .decision import Decision, judged, tier_of
from .run_view import CellView, RunView

Format = Literal["terminal", "markdown", "html", "junit", "json"]
FORMATS: tuple[Format, ...] = get_args(Format)
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


def write(report: Report, form: Format) -> str:
    """The report as a text in this form."""
    writers: dict[Format, Callable[[Report], str]] = {"json": _json}
    if form == "terminal":
        from .terminal import terminal

        writers[form] = terminal
    elif form == "markdown":
        from .markdown import markdown

        writers[form] = markdown
    elif form == "html":
        from .html import html

        writers[form] = html
    elif form == "junit":
        from .junit import junit

        writers[form] = junit
    return writers[form](report)


def _json(report: Report) -> str:
    run, comparison, decision = report.run, report.comparison, report.decision
    told = {
        "spec": run.spec,
        "ending": run.ending,
        "cells": run.total,
        "summary": run.summary,
        "against": report.baseline.spec if report.baseline is not None else None,
        "comparison": comparison,
        "decision": None
        if decision is None
        else {
            "verdict": str(decision.verdict),
            "reason": decision.reason,
            "problems": decision.problems,
            "warnings": decision.warnings,
            "findings": [
                {"metric": each.metric, "slice": each.slice, "tier": tier_of(each), "finding": each.finding}
                for each in judged(decision)
            ],
        },
        "bad_cells": report.bad_cells,
    }
    return json.dumps(msgspec.to_builtins(told), indent=2) + "\n"  # ASCII, so that half a character is no trouble
