"""A trace's spans as bars of its drawing: what each is called, what stands beside it, what is marked."""

from collections.abc import Mapping, Sequence
from typing import Any

from ..viewing import figures
from ..viewing.waterfall import Bar

Item = Mapping[str, Any]
_FLAWS = {
    "orphan": "its parent is not there",
    "cycle": "its parents lead back to itself",
    "duplicate": "another span has the same id",
}


def bars_of(spans: Sequence[Item], trace: Item, *, is_whole: bool) -> list[Bar]:
    """Of a page of spans; the critical path only where the page is the whole trace."""
    marks: dict[str, list[str]] = {}
    for mark, extreme in (("slowest", trace["slowest_step"]), ("dearest", trace["dearest_call"])):
        if extreme is not None:
            marks.setdefault(extreme["span_id"], []).append(mark)
    if is_whole and len(spans) > 2:
        for number in critical_path(spans):
            marks.setdefault(spans[number]["span_id"], []).append("path")
    return [_bar(span, marks.get(span["span_id"], [])) for span in spans]


def critical_path(spans: Sequence[Item]) -> set[int]:
    """Which spans the end of the trace has waited for: from its last end backwards, always the child that ended last
    before what is found already began. A child that runs beside such a one is not on it."""
    children: dict[int | None, list[int]] = {}
    above: list[int] = []
    for number, span in enumerate(spans):
        del above[span["depth"] :]
        children.setdefault(above[-1] if above else None, []).append(number)
        above.append(number)
    if not spans:
        return set()
    path: set[int] = set()
    ends = [span["offset_us"] + span["duration_us"] for span in spans]
    waiting = [max(children[None], key=ends.__getitem__)]
    while waiting:
        number = waiting.pop()
        path.add(number)
        until = ends[number]
        for child in sorted(children.get(number, ()), key=lambda each: -ends[each]):
            if ends[child] <= until and spans[child]["duration_us"]:
                waiting.append(child)
                until = spans[child]["offset_us"]
    return path


def _bar(span: Item, marks: Sequence[str]) -> Bar:
    took = figures.milliseconds(span["duration_us"] / 1000)
    return Bar(
        id=span["span_id"],
        name=span["name"],
        step=span["step"],
        depth=span["depth"],
        offset_us=span["offset_us"],
        duration_us=span["duration_us"],
        took=took,
        note=_note(span),
        tip=_tip(span, took),
        why=str(span["attributes"].get("error.type") or span["status_message"] or ""),
        is_bad=span["status"] == "error",
        children=span["children"],
        marks=marks,
        ticks=[_offset_us(span, event) for event in span["events"]],
    )


def _offset_us(span: Item, event: Item) -> int:
    """Of an event, from the trace's beginning, moved with its span."""
    since_us: int = event["at_ns"] // 1000 - span["started_us"] + span["offset_us"]
    return since_us


def _note(span: Item) -> str:
    """Cost, tokens and what became of it, as far as there is any."""
    attributes = span["attributes"]
    tokens = (span["input_tokens"] or 0) + (span["output_tokens"] or 0)
    attempts, cache = attributes.get("llmops.attempts"), attributes.get("llmops.cache")
    notes = [
        figures.money(span["cost_nanousd"]) if span["cost_nanousd"] else "",
        f"{figures.count(tokens)} tokens" if tokens else "",
        f"{attempts} attempts" if isinstance(attempts, int) and attempts > 1 else "",
        f"cache {cache}" if cache in ("hit", "shared", "semantic") else "",
        _FLAWS.get(span["flaw"] or "", ""),
        "clock mended" if abs(span["shift_us"]) >= 1000 else "",
    ]
    return " · ".join(filter(None, notes))


def _tip(span: Item, took: str) -> str:
    own = figures.milliseconds(span["self_us"] / 1000)
    parts = [f"{span['name'][:120]}", f"{span['step']}, {span['service'] or 'no service'}", f"{took}, {own} of its own"]
    return "\n".join([*parts, *(f"{event['name'][:60]}" for event in span["events"][:5])])
