"""Datasets: which there are, their versions and labels, what differs between two versions, their cases, their history.

``dataset=`` in the address shows one; ``of=`` is whose it is, where an administrator looks at another tenant's.
"""

from collections.abc import Mapping
from typing import Any
from urllib.parse import quote

import streamlit as st

from ..viewing import address, components, figures, judging, words
from ..viewing.components import Card, Cell, Mood, link
from ..viewing.judging import About, Quote
from ..viewing.view import View

_LIMIT = 25
_SHOWN = {"versions": "Versions", "changes": "Changes", "cases": "Cases", "history": "History"}
_MOODS: dict[str, Mood] = {"added": "good", "removed": "bad", "changed": "warn"}
Found = Mapping[str, Any]


def render(view: View) -> None:
    judging.wear()
    view.title("Datasets", "cases that are asked, in versions that never change")
    name = address.read("dataset")
    if not name:
        view.live(lambda: _datasets(view))
        return
    judging.crumbs([("All datasets", link("datasets", tenant=view.tenant)), (name, None)])
    path = f"/api/datasets/{quote(name, safe='')}"
    found = view.get(path, **_owner(view))
    if found is None:
        return
    shown = address.choose(
        "Show", "show", list(_SHOWN), "versions", format_func=_SHOWN.__getitem__, label_visibility="collapsed"
    )
    if shown == "changes":
        _changes(view, path, found)
    elif shown == "cases":
        _cases(view, path, found)
    elif shown == "history":
        _history(view, found)
    else:
        _versions(view, found)


def _owner(view: View) -> dict[str, str]:
    """Whose it is, where that is not this reader's own tenant."""
    owner = address.read("of") or view.tenant
    return {"tenant": owner} if owner and view.reader.tenant is None else {}


def _here(view: View, name: str, owner: str | None = None, **more: object) -> str:
    owner = owner or address.read("of")
    return link("datasets", tenant=view.tenant, dataset=name, of=None if view.reader.tenant else owner, **more)


def _datasets(view: View) -> None:
    found = view.get("/api/datasets", **({"tenant": view.tenant} if view.tenant else {}))
    if found is None:
        return
    if not found:
        components.empty(
            "There are no datasets yet",
            "Bring cases in from a file, or make some of recorded traces, with consent:",
            "llmops datasets import my-cases.jsonl --name my-cases",
        )
        return
    is_of_all = view.reader.tenant is None and not view.tenant
    rows = []
    for each in found:
        latest = each["latest"]
        row: list[Cell | str] = [
            Cell(words.plain(each["dataset"], 50), to=_here(view, each["dataset"], each["tenant"])),
            f"{latest['cases']:,}",
            f"{each['versions']:,}",
            Cell(latest["version"], title=", ".join(latest["labels"])),
            Cell(words.plain(", ".join(latest["labels"]), 40)),
            _when(view, latest["created_at_ms"]),
            Cell(words.plain(latest["source"], 40)),
            Cell(f"{latest['used']:,}", title=latest["warning"] or "", mood="warn" if latest["warning"] else "neutral"),
        ]
        rows.append([*row, *([each["tenant"]] if is_of_all else [])])
    columns = ["dataset", "cases", "versions", "latest", "labels", "made", "from", "decisions"]
    numbers = ("cases", "versions", "decisions")
    components.table([*columns, *(["tenant"] if is_of_all else [])], rows, numbers=numbers, caption="Datasets")


def _when(view: View, at_ms: int | None) -> Cell:
    if at_ms is None:
        return Cell(figures.NOTHING)
    at_s = at_ms / 1000
    return Cell(figures.moment(at_s, view.zone, now_s=view.now_s), title=figures.moment(at_s, view.zone))


def _versions(view: View, found: Found) -> None:
    name, rows = found["dataset"], []
    for each in found["versions"]:
        to = _here(view, name, show="cases", version=each["version"])
        before = each["parent"]
        changes = _here(view, name, show="changes", before=before, after=each["version"]) if before else None
        row: list[Cell | str] = [
            f"{each['number']}",
            Cell(each["version"], to=to),
            f"{each['cases']:,}",
            Cell(words.plain(", ".join(each["labels"]), 60)),
            _when(view, each["created_at_ms"]),
            Cell(words.plain(each["created_by"] or "", 40)),
            Cell(words.plain(each["note"], 60), title=each["note"]),
            Cell(f"{each['used']:,}", title=each["warning"] or "", mood="warn" if each["warning"] else "neutral"),
            Cell("changes", to=changes) if changes else Cell(""),
        ]
        rows.append(row)
    columns = ["no.", "version", "cases", "labels", "made", "by", "note", "decisions", ""]
    components.table(columns, rows, numbers=("no.", "cases", "decisions"), caption="Versions")


def _changes(view: View, path: str, found: Found) -> None:
    versions = {each["version"]: each for each in found["versions"]}
    if len(versions) < 2:
        components.empty("There is one version only", "A second comes with the next import of this name.")
        return

    def named(version: str) -> str:
        each = versions[version]
        labels = f" ({words.plain(', '.join(each['labels']), 30)})" if each["labels"] else ""
        return f"{each['number']} · {version}{labels}"

    ids = list(versions)
    with st.container(horizontal=True, gap="small"):
        before = address.select("Before", "before", ids, ids[1], format_func=named, width=300)
        after = address.select("After", "after", ids, ids[0], format_func=named, width=300)
    behind = address.read("behind")
    told = view.get(f"{path}/diff", **_owner(view), before=before, after=after, behind=behind, limit=_LIMIT)
    if told is None:
        return
    components.cards(
        Card(kind, kind.capitalize(), f"{told[kind]:,}") for kind in ("added", "removed", "changed", "unchanged")
    )
    if not told["changes"]:
        components.empty("Nothing differs", "These versions have the same cases, or this is the end of the list.")
    for change in told["changes"]:
        _change(change)
    total = told["added"] + told["removed"] + told["changed"]
    if behind or len(told["changes"]) == _LIMIT < total:
        with st.container(horizontal=True, gap="small"):
            st.button("From the beginning", disabled=not behind, on_click=address.write, args=("behind", None))
            last = told["changes"][-1]["case_id"] if told["changes"] else ""
            st.button("More", disabled=len(told["changes"]) < _LIMIT, on_click=address.write, args=("behind", last))


def _change(change: Found) -> None:
    st.html(
        f'<div class="lab-section">{components.tag(_MOODS[change["kind"]], change["kind"])}'
        f"<h2>{words.html(change['case_id'])}</h2></div>"
    )
    quotes: list[Quote] = []
    for field in change["fields"]:
        quotes.append(Quote(f"{field['field']}, before", judging.text_of(field["before"]), "bad"))
        quotes.append(Quote(f"{field['field']}, after", judging.text_of(field["after"]), "out"))
    if not quotes:
        case = change["before"] or change["after"]
        quotes = [Quote("input", judging.text_of(case["input"]), "in")]
        if case.get("reference") is not None:
            quotes.append(Quote("reference", judging.text_of(case["reference"])))
    judging.texts(quotes, two=len(quotes) > 1)


def _cases(view: View, path: str, found: Found) -> None:
    ids = [each["version"] for each in found["versions"]]
    with st.container(horizontal=True, gap="small"):
        version = address.select("Version", "version", ids, ids[0], width=260, label_visibility="collapsed")
        split = address.select("Split", "split", ["", "train", "dev", "test"], width=160, label_visibility="collapsed",
                               format_func=lambda name: name or "All splits")  # fmt: skip
    after = address.read("after")
    told = view.get(f"{path}/cases", **_owner(view), version=version, split=split, after=after, limit=_LIMIT)
    if told is None:
        return
    if not told["cases"]:
        components.empty("No case is like that", "Take the split off.")
    for case in told["cases"]:
        quotes = [Quote(case["id"], judging.text_of(case["input"]), "in")]
        if case.get("reference") is not None:
            quotes.append(Quote("right would be", judging.text_of(case["reference"])))
        judging.texts(quotes, two=True)
        facts = [About(name, judging.text_of(value)) for name, value in case.get("metadata", {}).items()]
        facts += [About(name, str(case[name])) for name in ("cluster", "split") if case.get(name)]
        if facts:
            judging.about(facts)
    if told["next"] or after:
        with st.container(horizontal=True, gap="small"):
            st.button("From the beginning", disabled=not after, on_click=address.write, args=("after", None))
            st.button("More", disabled=not told["next"], on_click=address.write, args=("after", told["next"]))


def _history(view: View, found: Found) -> None:
    rows: list[list[Cell | str]] = [
        [
            _when(view, each["at_ms"]),
            words.plain(each["change"], 40),
            Cell(each["version"] or "", title=f"before: {each['before']}" if each["before"] else ""),
            Cell(words.plain(each["who"] or "", 40)),
            Cell(words.plain(each["reason"], 80), title=each["reason"]),
        ]
        for each in found["events"]
    ]
    components.table(["when", "what", "version", "who", "why"], rows, caption="History")
