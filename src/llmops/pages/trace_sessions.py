"""Sessions, and one of them as a conversation: its calls in order of time, with what was said where it is kept."""

from collections.abc import Mapping, Sequence
from typing import Any

import streamlit as st

from ..viewing import address, components, figures, tracing, words
from ..viewing.components import Cell, link
from ..viewing.view import View
from ..viewing.way_back import WAY_BACK
from . import trace_filters
from .trace_list import state_of
from .trace_messages import latest, messages_of

_LIMIT = 50
_TURNS = 15
_SPANS = 60
Item = Mapping[str, Any]


def sessions(view: View) -> None:
    """The sessions, the one with the latest activity first."""
    cursor = address.read("at")
    found = view.get("/api/sessions", tenant=view.tenant, limit=_LIMIT, cursor=cursor)
    if found is None:
        return
    items = found["items"]
    if not items:
        components.empty(
            "No sessions yet",
            "A call is part of one when it says so in a header:",
            "-H 'x-llmops-session: conversation-1'",
        )
    else:
        components.heading("Sessions", "whichever was active last first, whatever the window; each is a conversation")
        components.table(
            ["session", "user", "last active", "lasted", "calls", "traces", "failed", "tokens", "cost", "tenant"],
            [_session(view, item) for item in items],
            numbers=("lasted", "calls", "traces", "failed", "tokens", "cost"),
            caption="Sessions",
        )
    _older(view, found["cursor"], cursor, "sessions")


def conversation(view: View, session: str) -> None:
    """A page of a session's turns, in the order of time."""
    cursor = address.read("at")
    asked = {**({"tenant": view.tenant} if view.tenant else {}), "session": session}
    found = view.get("/api/traces", **asked, limit=_TURNS, cursor=cursor)
    if found is None:
        return
    turns = list(reversed(found["items"]))
    if not turns:
        components.empty("There is no such session", "or nothing of it is kept any more.", "llmops traces list")
        return
    said = [_said(view, turn) for turn in turns]
    components.heading(f"Session {words.plain(session, 60)}", f"{len(turns)} turns of it, the latest at the end")
    tracing.facts(_sums(turns))
    if not any(said):
        components.empty(
            "What was said is not kept",
            "There are hashes and lengths only. To keep the texts of a share of the traces, in the configuration:",
            "traces: {capture: {share: 0.1}}",
        )
    st.html("".join(_turn(view, turn, messages) for turn, messages in zip(turns, said, strict=True)))
    _older(view, found["cursor"], cursor, "turns")


def _session(view: View, item: Item) -> list[Cell | str]:
    last_s = item["last_us"] / 1e6
    to = link("traces", **trace_filters.kept(session=item["session"], show="talk"))
    return [
        Cell(words.plain(item["session"], 48), to=to, title=item["session"]),
        item["user"] or "",
        Cell(figures.moment(last_s, view.zone, now_s=view.now_s), title=figures.moment(last_s, view.zone)),
        figures.seconds((item["last_us"] - item["first_us"]) / 1e6),
        f"{item['calls']:,}",
        f"{item['traces']:,}",
        Cell(f"{item['errors']:,}", mood="bad") if item["errors"] else "0",
        figures.count(item["input_tokens"] + item["output_tokens"]),
        Cell(figures.money(item["cost_nanousd"]), title=figures.exact_money(item["cost_nanousd"])),
        item["tenant"] or "",
    ]


def _sums(turns: Sequence[Item]) -> list[tracing.Fact]:
    cost = sum(turn["cost_nanousd"] or 0 for turn in turns)
    tokens = sum(turn["input_tokens"] + turn["output_tokens"] for turn in turns)
    failed = sum(bool(turn["errors"] or turn["error_type"]) for turn in turns)
    lasted_s = (turns[-1]["started_us"] + turns[-1]["duration_us"] - turns[0]["started_us"]) / 1e6
    users = sorted({turn["user"] for turn in turns if turn["user"]})
    return [
        tracing.Fact("turns", "Turns shown", f"{len(turns)}"),
        tracing.Fact("lasted", "Lasted", figures.seconds(lasted_s)),
        tracing.Fact("failed", "Failed", f"{failed}", is_bad=bool(failed)),
        tracing.Fact("tokens", "Tokens", figures.count(tokens), figures.exact(tokens)),
        tracing.Fact("cost", "Cost", figures.money(cost), figures.exact_money(cost)),
        tracing.Fact("user", "User", ", ".join(users) or figures.NOTHING),
    ]


def _said(view: View, turn: Item) -> list[tracing.Said]:
    """What is new in a turn: from the last word of the user on."""
    found = view.ask(f"/api/traces/{turn['trace_id']}/spans", tenant=turn["tenant"], limit=_SPANS)
    spans = found.value["items"] if found.problem is None else []
    spoken = [messages_of(span) for span in spans]
    return latest(next((each for each in spoken if each), []))


def _turn(view: View, turn: Item, messages: Sequence[tracing.Said]) -> str:
    failed = bool(turn["errors"] or turn["error_type"])
    to = link("traces", **trace_filters.here(), trace=turn["trace_id"])
    tokens = f"{turn['input_tokens']:,} in, {turn['output_tokens']:,} out"
    state = components.tag("bad" if failed else "good", words.plain(state_of(turn), 40))
    inner = tracing.says(messages) if messages else ""
    return (
        f'<article class="lab-turn{" bad" if failed else ""}"><div class="when">'
        f"<b>{words.html(figures.moment(turn['started_us'] / 1e6, view.zone, now_s=view.now_s))}</b>"
        f"{words.html(figures.milliseconds(turn['duration_us'] / 1000))}</div>"
        f'<div class="what"><header><a href="{words.html(to, 2000)}" target="_self">'
        f"{words.html(turn['name'] or turn['trace_id'][:8], 60)}</a>{state}<span>{tokens} tokens</span>"
        f"<span>{words.html(figures.money(turn['cost_nanousd']))}</span></header>{inner}</div></article>"
    )


def _older(view: View, further: str | None, cursor: str, what: str) -> None:
    reader = view.key() or ""
    if further:
        WAY_BACK.note(reader, further, cursor)
    before = WAY_BACK.before(reader, cursor)

    def older() -> None:
        address.write("at", further)

    def newer() -> None:
        address.write("at", before)

    if cursor or further:
        with st.container(horizontal=True, gap="small"):
            name = "← First page" if cursor and before is None else "← Newer"
            st.button(name, on_click=newer, disabled=not cursor, key=f"{what}-newer")
            st.button("Older →", on_click=older, disabled=not further, key=f"{what}-older")
