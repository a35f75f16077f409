"""Running versions of a prompt side by side: the answers as they come in, then what they took.

The answers are drawn as escaped text at short intervals, not with Streamlit's own stream, which would take a model's
words for markdown. The money is that of the call's record, which is there a moment after its end.
"""

import time
from collections.abc import Mapping, Sequence
from typing import Any

import streamlit as st

from ..viewing import figures, registry
from ..viewing.asking import Asked
from ..viewing.components import link
from ..viewing.registry import Answered
from ..viewing.view import View

_LAST = "play-last"
_LOOK_S, _MOST_S = 0.1, 300.0
_COST_TRIES, _COST_PAUSE_S = 12, 0.25
_HEADERS = {"x-llmops-tags": "source=playground", "Cache-Control": "no-cache"}


def run(view: View, key: str | None, bodies: Sequence[Mapping[str, Any]], titles: Sequence[str]) -> None:
    """Make the calls at the same time and draw them until all are over; what they were is kept for the next run."""
    forget()
    places = [column.empty() for column in st.columns(len(bodies), gap="small")]
    calls = [Asked(view.feed.gateway.url, key, body, _HEADERS) for body in bodies]
    until_s = time.monotonic() + _MOST_S
    try:
        while any(call.is_running for call in calls) and time.monotonic() < until_s:
            _draw(places, [_shown(call, title) for call, title in zip(calls, titles, strict=True)])
            time.sleep(_LOOK_S)
    finally:  # also where the reader went away meanwhile
        for call in calls:
            if call.is_running:
                call.leave()
    answers = [_shown(call, title) for call, title in zip(calls, titles, strict=True)]
    _draw(places, answers)
    costs = _costs(view, calls)
    answers = [_shown(call, title, cost) for call, title, cost in zip(calls, titles, costs, strict=True)]
    _draw(places, answers)
    traces = [call.trace_id for call in calls]
    _lead_on(view, traces)
    prompts = [body["prompt"] for body in bodies]
    st.session_state[_LAST] = (prompts[0]["name"], [each["version"] for each in prompts], answers, traces)


def last(view: View, name: str, numbers: Sequence[int]) -> bool:
    """Draw what was run last, if it was of these versions."""
    kept = st.session_state.get(_LAST)
    if kept is None or (kept[0], kept[1]) != (name, list(numbers)):
        return False
    _, _, answers, traces = kept
    _draw([column.empty() for column in st.columns(len(answers), gap="small")], answers)
    _lead_on(view, traces)
    return True


def forget() -> None:
    st.session_state.pop(_LAST, None)


def _draw(places: Sequence[Any], answers: Sequence[Answered]) -> None:
    for place, answer in zip(places, answers, strict=True):
        place.html(registry.answer(answer))


def _shown(call: Asked, title: str, cost: int | None = None) -> Answered:
    tokens = f"{call.tokens[0]:,} in, {call.tokens[1]:,} out" if call.tokens else figures.NOTHING
    pairs = [
        ("first word", figures.milliseconds(call.first_ms)),
        ("in all", figures.milliseconds(call.so_far_ms)),
        ("tokens", tokens),
        ("cost", figures.money(cost)),
    ]
    return Answered(title, call.text, call.prompt, call.problem, call.is_running, pairs)


def _costs(view: View, calls: Sequence[Asked]) -> list[int | None]:
    """What the calls cost, by their records; None for what is not known to this reader in time."""
    found: list[int | None] = [None] * len(calls)
    for _ in range(_COST_TRIES):
        waiting = [at for at, call in enumerate(calls) if found[at] is None and call.trace_id and not call.problem]
        if not waiting:
            break
        for at in waiting:
            answer = view.ask(f"/api/traces/{calls[at].trace_id}", limit=1)
            if answer.value is not None:
                found[at] = answer.value["cost_nanousd"]
        if any(found[at] is None for at in waiting):
            time.sleep(_COST_PAUSE_S)
    return found


def _lead_on(view: View, traces: Sequence[str]) -> None:
    links = [
        f'<a href="{link("traces", trace=trace, tenant=view.tenant)}" target="_self">trace of the answer'
        f"{f' {number}' if len(traces) > 1 else ''}</a>"
        for number, trace in enumerate(traces, 1)
        if trace.isalnum()
    ]
    st.html(f'<div class="lab-line">{"".join(links)}</div>')
