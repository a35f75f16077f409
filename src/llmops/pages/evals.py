"""Evals: runs with their figures, two runs compared, trends, gate decisions; with ``run=`` in the address, one run.

Everything is asked from ``/api/evals``; a verdict here is that of the gate's rule on one metric.
"""

from ..viewing import address, judging
from ..viewing.view import View
from . import evals_compare, evals_gates, evals_run, evals_runs, evals_trends

_SHOWN = {"runs": "Runs", "compare": "Compare", "trends": "Trends", "gates": "Gate decisions"}
_WHAT = {
    "runs": "datasets through a subject, judged; the newest first",
    "compare": "a run against a baseline, case by case",
    "trends": "a metric over runs and commits",
    "gates": "whether candidates may replace baselines",
}


def render(view: View) -> None:
    judging.wear()
    run = address.read("run")
    if run:
        evals_run.render(view, run)
        return
    shown = address.read("show", "runs", valid=_SHOWN.__contains__)
    view.title("Evals", _WHAT[shown])
    shown = address.choose(
        "Show", "show", list(_SHOWN), "runs", format_func=_SHOWN.__getitem__, label_visibility="collapsed"
    )
    pages = {"runs": evals_runs, "compare": evals_compare, "trends": evals_trends, "gates": evals_gates}
    pages[shown].render(view)
