"""Review: queues of outputs that people judge, keyboard first; disputes to settle; what was said; how far people agree.

The reviewer's item comes from ``POST …/next``, the same one until it is answered, so a reload loses nothing.
What others said is not shown before one's own answer. Whose name stands on the answers is this browser tab's alone and
in no link.
"""

from collections.abc import Mapping
from typing import Any
from urllib.parse import quote

import streamlit as st

from ..viewing import address, components, figures, judging, words
from ..viewing.components import Cell, link
from ..viewing.view import View
from . import review_items, review_judging

_SHOWN = {"judge": "Judge", "settle": "Settle disputes", "look": "Look through", "agreement": "Agreement"}
_WHO = "llmops-reviewer"
Found = Mapping[str, Any]


def render(view: View) -> None:
    judging.wear()
    view.title("Review", "what people say of outputs")
    name = address.read("queue")
    if not name:
        view.live(lambda: _queues(view))
        return
    judging.crumbs([("All queues", link("review", tenant=view.tenant)), (name, None)])
    path = f"/api/review/queues/{quote(name, safe='')}"
    shown = address.choose(
        "Do", "do", list(_SHOWN), "judge", format_func=_SHOWN.__getitem__, label_visibility="collapsed"
    )
    if shown == "agreement":
        view.live(lambda: _agreement(view, path))
        return
    queue = view.get(path, **owner(view))
    if queue is None:
        return
    if shown == "look":
        review_items.render(view, path, queue)
        return
    who = _reviewer(view)
    if not view.may_change:
        said = "It takes an editor's." if view.feed.kind == "gateway" else "The gateway is not running."
        components.empty("Your key may look and not judge", said, "llmops keys create NAME --role editor")
    elif not who:
        components.empty("Who judges?", "Say your name above: answers of different people are held against each other.")
    else:
        review_judging.render(view, path, queue, who, settles=shown == "settle")


def owner(view: View) -> dict[str, str]:
    """Whose queue it is, where that is not this reader's own tenant."""
    whose = address.read("of") or view.tenant
    return {"tenant": whose} if whose and view.reader.tenant is None else {}


def _reviewer(view: View) -> str:
    """The name on the answers: the key's, unless somebody else sits here."""
    if _WHO not in st.session_state:
        st.session_state[_WHO] = view.reader.name if view.reader.needs_key else ""
    kept = f"{_WHO}-field"
    if kept not in st.session_state:
        st.session_state[kept] = st.session_state[_WHO]

    def changed() -> None:
        st.session_state[_WHO] = st.session_state[kept].strip()

    st.text_input("Reviewer", key=kept, on_change=changed, max_chars=200, width=260, placeholder="Your name")
    found: str = st.session_state[_WHO]
    return found


def _queues(view: View) -> None:
    found = view.get("/api/review/queues", **({"tenant": view.tenant} if view.tenant else {}))
    if found is None:
        return
    if not found:
        components.empty(
            "There are no review queues yet",
            "A queue asks people one question about outputs. Make one, and put outputs of a run into it:",
            "llmops review create tone correctness --choices good,bad\nllmops review add tone --run RUN",
        )
        return
    is_of_all = view.reader.tenant is None and not view.tenant
    rows = []
    for each in found:
        progress, question = each["progress"], each["question"]
        done = progress["agreed"] + progress["settled"]
        of = each["tenant"] if view.reader.tenant is None else None
        row: list[Cell | str] = [
            Cell(words.plain(each["name"], 50), to=link("review", queue=each["name"], of=of, tenant=view.tenant)),
            Cell(words.plain(question["name"], 50), title=question.get("instructions", "")),
            question["kind"],
            Cell(figures.share(done / progress["items"]) if progress["items"] else figures.NOTHING,
                 share=done / progress["items"] if progress["items"] else None),
            f"{progress['items']:,}",
            f"{progress['open']:,}",
            Cell(f"{progress['disputed']:,}", mood="warn" if progress["disputed"] else "neutral"),
            f"{progress['answers']:,}",
            f"{each['reviewers']:,}",
        ]  # fmt: skip
        rows.append([*row, *([each["tenant"]] if is_of_all else [])])
    columns = ["queue", "question", "kind", "done", "items", "open", "disputed", "answers", "each by"]
    numbers = ("items", "open", "disputed", "answers", "each by")
    components.table([*columns, *(["tenant"] if is_of_all else [])], rows, numbers=numbers, caption="Queues")


def _agreement(view: View, path: str) -> None:
    found = view.get(path, **owner(view))
    if found is None:
        return
    st.html(judging.progress(found["progress"]))
    st.space("small")
    agreement = found["agreement"]
    if not agreement["compared"]:
        components.empty("Nobody has judged the same item as another", "Agreement takes two answers to one item.")
        return
    components.cards(
        [
            components.Card(
                "compared", "Compared", f"{agreement['compared']:,}", note="items with two answers or more"
            ),
            components.Card("share", "Agree", figures.share(agreement["share"]), note="share of pairs"),
            components.Card(
                "alpha", "Krippendorff's alpha", _three(agreement["alpha"]), note="beyond chance; 1 is all"
            ),
            components.Card("kappa", "Cohen's kappa", _three(agreement["kappa"]), note="where there are two reviewers"),
        ]
    )
    with st.grid(min_column_width=320, gap="medium"):
        _counted("Answers", "answer", agreement["answers"])
        _counted("Reviewers", "reviewer", agreement["reviewers"])


def _counted(title: str, what: str, counts: Mapping[str, int]) -> None:
    most = max(counts.values(), default=1) or 1
    with st.container(gap="xsmall"):
        components.heading(title)
        rows: list[list[Cell | str]] = [
            [Cell(words.plain(name, 60), title=name), Cell(f"{count:,}", share=count / most)]
            for name, count in counts.items()
        ]
        components.table([what, "given"], rows, numbers=("given",), caption=title)


def _three(value: float | None) -> str:
    return figures.NOTHING if value is None else f"{value:.3f}"
