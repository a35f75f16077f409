"""Traces: searching them, sessions as conversations, where the time goes; with ``trace=`` in the address, one trace."""

from ..viewing import address, tracing
from ..viewing.view import View
from . import trace_filters, trace_list, trace_sessions, trace_steps
from .trace import render as render_one

_SHOWN = {"traces": "Traces", "sessions": "Sessions", "talk": "Conversation", "steps": "Where the time goes"}


def render(view: View) -> None:
    tracing.wear()
    trace_id = address.read("trace")
    if trace_id:
        render_one(view, trace_id)
        return
    view.title("Traces", f"what happened in {view.window.said(view.zone)}, call by call")
    session = address.read("session")
    kinds = [kind for kind in _SHOWN if kind != "talk" or session]
    shown = address.choose(
        "Show", "show", kinds, "traces", format_func=_SHOWN.__getitem__, label_visibility="collapsed"
    )
    if shown == "sessions":
        view.live(lambda: trace_sessions.sessions(view))
    elif shown == "talk":
        trace_filters.active()
        view.live(lambda: trace_sessions.conversation(view, session))
    elif shown == "steps":
        view.live(lambda: trace_steps.steps(view))
    else:
        asked = trace_filters.bar()
        view.live(lambda: trace_list.traces(view, asked))
