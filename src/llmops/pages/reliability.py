"""Reliability: what is wrong, objectives and how their error budgets went, deployments and breakers, how failures went
over time, and, for operators, the plumbing behind the calls.

Courses are those of ``/api/series`` and ``/api/slos/history``. What the gateway counts without keeping its course
(attempts, sheds, what waits on disk) is shown as it stands now, since the start of its processes, and says so.
"""

from ..viewing import components, gauges
from ..viewing.components import Trouble
from ..viewing.view import View
from .reliability_budgets import budgets, expect_budgets
from .reliability_courses import courses
from .reliability_deployments import deployments
from .reliability_errors import errors
from .reliability_objectives import objectives
from .reliability_plumbing import plumbing


def render(view: View) -> None:
    gauges.put_on()
    view.title("Reliability", f"Promises, deployments and failures in {view.window.said(view.zone)}")
    for path in ("/api/overview", "/api/series"):
        view.expect(path, **view.params)
    for path in ("/api/slos", "/api/deployments"):
        view.expect(path)
    expect_budgets(view)
    if view.reader.tenant is None:
        view.live(lambda: _problems(view))
    view.live(lambda: objectives(view))
    view.live(lambda: budgets(view))
    view.live(lambda: deployments(view))
    view.live(lambda: courses(view))
    view.live(lambda: errors(view))
    if view.reader.tenant is None:
        view.live(lambda: plumbing(view))


def _problems(view: View) -> None:
    """What ``/health`` names; it is the operator's business."""
    found = view.ask("/health")
    if found.problem is not None:
        view.show(found.problem)
        return
    known = found.value.get("problems", ())  # a stand-in for a gateway that is away has none
    said = found.value.get("status") and "Healthy: the gateway names no problem"
    components.strip([Trouble("warn", problem) for problem in known], said or "The gateway is not running")
