"""The plumbing, for operators: the request log, the ledger, the way into the database, spans, exports to other tools.

Present figures of all workers; their courses are not stored here but by whoever scrapes ``/metrics``.
"""

from collections.abc import Mapping, Sequence
from typing import Any

from ..viewing import components, figures, gauges
from ..viewing.components import Cell, Mood
from ..viewing.gauges import Fact
from ..viewing.view import View

Metrics = Mapping[str, Sequence[Mapping[str, Any]]]
#: Metric, label, what it means, whether bytes, and whether anything at all is trouble.
# fmt: off
_FIGURES: tuple[tuple[str, str, str, bool, Mood], ...] = (
    ("llm_requests_in_flight", "Calls under way", "now", False, "neutral"),
    ("llm_limiter_waiting", "Waiting for room", "in the queue now", False, "neutral"),
    ("llmops_calls_shed_total", "Calls shed", "since the start", False, "warn"),
    ("llmops_log_records_waiting", "Log: waiting", "records not on disk yet", False, "neutral"),
    ("llmops_log_records_dropped_total", "Log: dropped", "records lost", False, "bad"),
    ("llmops_ledger_open", "Ledger: open", "reserved, not settled", False, "neutral"),
    ("llmops_ledger_unwritten_total", "Ledger: unwritten", "reservations not on disk", False, "bad"),
    ("llmops_ingest_behind_bytes", "Database: behind", "of the log not in it yet", True, "neutral"),
    ("llmops_ingest_unreadable_lines_total", "Log: unreadable", "lines that were no records", False, "warn"),
    ("llmops_spans_waiting", "Spool: spans", "not in the database yet", False, "neutral"),
    ("llmops_spans_waiting_bytes", "Spool: depth", "on disk", True, "neutral"),
    ("llmops_spans_damaged_total", "Spans: damaged", "could not be kept", False, "warn"),
    ("llmops_spans_rejected_total", "Spans: rejected", "their sender was told", False, "warn"),
)
# fmt: on


def plumbing(view: View) -> None:
    components.heading("Plumbing", "all workers, as it is now")
    found = view.ask("/api/metrics")
    if found.problem is not None:
        if found.problem.trouble == "missing":
            components.empty("The gateway is not running", "Its counters are there while it runs.", "llmops serve")
        else:
            view.show(found.problem)
        return
    gauges.facts([_fact(found.value, *each) for each in _FIGURES if each[0] in found.value])
    _exports(view, found.value)


def _fact(metrics: Metrics, name: str, label: str, note: str, is_bytes: bool, mood: Mood) -> Fact:
    value = sum(each["value"] for each in metrics[name])
    shown = _bytes(value) if is_bytes else figures.count(value)
    return Fact(name, label, shown, note, mood if value else "neutral", title=f"{name} = {value:,.0f}")


def _exports(view: View, metrics: Metrics) -> None:
    components.heading("Exports", "traces and scores on their way to other tools")
    found = view.get("/api/exports")
    if found is None:
        return
    if not found:
        components.empty(
            "Nothing is exported", "Name a tool under `exports` (OTLP, Langfuse and others); then test it:",
            "llmops export test NAME",
        )  # fmt: skip
        return
    components.table(
        ["export", "state", "sent", "waiting", "refused", "dropped", "scores sent", "last word"],
        [_line(each, metrics) for each in found],
        numbers=("sent", "waiting", "refused", "dropped", "scores sent"),
        caption="Exports",
    )


def _line(export: Mapping[str, Any], metrics: Metrics) -> list[Cell | str]:
    name = export["name"]
    spans = _fates(metrics, "llmops_export_spans_total", name)
    scores = _fates(metrics, "llmops_export_scores_total", name)
    waiting = sum(each["value"] for each in metrics.get("llmops_export_waiting_bytes", ())
                  if each["labels"]["export"] == name)  # fmt: skip
    failing = str(export.get("failing") or "")
    return [
        name,
        Cell("takes nothing" if failing else "delivers", mood="bad" if failing else "good"),
        figures.count(spans.get("delivered", 0)),
        _bytes(waiting),
        _counted(spans.get("refused", 0)),
        _counted(spans.get("dropped", 0)),
        figures.count(scores.get("delivered", 0)),
        Cell(failing, title=failing),
    ]


def _counted(count: float) -> Cell:
    return Cell(figures.count(count), mood="warn" if count else "neutral")


def _fates(metrics: Metrics, metric: str, export: str) -> dict[str, float]:
    return {
        each["labels"]["fate"]: each["value"] for each in metrics.get(metric, ()) if each["labels"]["export"] == export
    }


def _bytes(value: float) -> str:
    for unit, size in (("GB", 1e9), ("MB", 1e6), ("kB", 1e3)):
        if value >= size:
            return f"{value / size:.3g} {unit}"
    return f"{value:.0f} B"
