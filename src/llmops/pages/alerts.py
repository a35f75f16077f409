"""Alerts: what fires and since when, what is silenced until when, what was, and whether those who are told hear it.

Everything is the control plane's: ``/api/alerts`` with ``history`` and ``receivers``, and ``/api/silences``.
"""

from ..viewing import address, manage
from ..viewing.view import View
from . import alerts_firing, alerts_history, alerts_receivers, alerts_silences


def render(view: View) -> None:
    view.title("Alerts", "what needs somebody now, and what did")
    manage.put_on()
    manage.said(view)
    rule = address.read("rule", valid=lambda given: len(given) <= 80)
    view.live(lambda: alerts_firing.show(view, rule))
    view.live(lambda: alerts_silences.show(view))
    view.live(lambda: alerts_history.show(view, rule))
    view.live(lambda: alerts_receivers.show(view))
    manage.dialogs(view, alerts_silences.DIALOGS)
