"""Rollouts: which run and which are over; with ``rollout=`` in the address one of them with its steps, the evidence
as it came in, and why what was decided; the four orders, where the role allows them.

Everything is asked from ``/api/rollouts``. What the evidence says is the gateway's; nothing is computed here.
"""

from ..viewing import address, judging, manage, registry
from ..viewing.view import View
from . import rollouts_actions, rollouts_list, rollouts_one
from .rollouts_words import here


def render(view: View) -> None:
    registry.wear()
    view.title("Rollouts", "traffic moves from one release to another, as far as the evidence allows")
    manage.said(view)
    rollout = address.read("rollout")
    if not rollout:
        view.live(lambda: rollouts_list.rollouts(view))
    else:
        judging.crumbs([("All rollouts", here(view)), (rollout, None)])
        view.live(lambda: rollouts_one.rollout(view, rollout))
    manage.dialogs(view, rollouts_actions.DIALOGS)
