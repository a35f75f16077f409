"""A report as a text, in each of the forms that there are."""

import json
from collections.abc import Callable
from typing import Literal, get_args

import msgspec

from .decision import judged, tier_of
from .html import html
from .junit import junit
from .markdown import markdown
from .report import Report
from .terminal import terminal

Format = Literal["terminal", "markdown", "html", "junit", "json"]
FORMATS: tuple[Format, ...] = get_args(Format)


def write(report: Report, form: Format) -> str:
    """The report as a text in this form."""
    return _WRITERS[form](report)


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


_WRITERS: dict[Format, Callable[[Report], str]] = {
    "terminal": terminal,
    "markdown": markdown,
    "html": html,
    "junit": junit,
    "json": _json,
}
