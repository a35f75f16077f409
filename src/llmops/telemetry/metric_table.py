"""Every metric that the gateway offers, defined once: name, kind, words, labels and what bounds each label.

The exposition, ``docs/reference/metrics.md``, the recording and alert rules and the dashboard are made from this table
or checked against it. A label never holds what a client wrote: each has a bound, named here, so that the number of
series depends on the configuration and not on the traffic. What a metric's numbers mean is the business of who counts.
"""

from collections.abc import Mapping
from typing import Literal

import msgspec

Kind = Literal["counter", "gauge", "histogram"]
Across = Literal["sum", "max"]

LATENCY_BUCKETS_S = (0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0, 30.0, 60.0, 120.0, 300.0)
SCORE_BUCKETS = (0.0, 0.1, 0.2, 0.3, 0.4, 0.5, 0.6, 0.7, 0.8, 0.9, 1.0)

LABELS: Mapping[str, str] = {
    "operation": "`chat`, `responses`, `messages`, `count_tokens`, `embeddings` or `unknown`",
    "model": "the configured name or pattern, or `none`: ten thousand names under one pattern are one series",
    "provider": "the adapter, `cache`, or `none`",
    "status": "HTTP status",
    "type": "`prompt`, `completion`, `cached`, `cache_write`, `reasoning`",
    "error_type": "a code of the [errors](errors.md)",
    "valid": "`true`, `false`",
    "priority": "`low`, `normal`, `high`",
    "sign": "`lag`, `memory`, `calls`",
    "resort": "as configured: `stale`, `model:<name>`, `template`",
    "state": "of the cache: `hit`, `shared`, `semantic`, `stale`, `miss`, `bypass`; of a breaker: `closed`, `cooling`, "
    "`half_open`, `open`, `dead`",
    "why": "`evicted` (room was needed), `expired`, `invalidated`",
    "deployment": "as configured",
    "outcome": "`success`, `abandoned` (the caller left), or why it failed: `transient`, `overloaded`, `timeout`, "
    "`throttled`, `conflict`, `impatient` (the caller's time was over), `credential`, `incapable`, `rejected`",
    "change": "`ejected`, `readmitted`, `dead`",
    "export": "names under `exports`",
    "fate": "`delivered`, `refused` by the tool, `dropped` for want of room or time, `skipped`: not chosen to be sent",
    "slo": "names under `slos`",
    "verdict": "`good`, `bad`",
    "tenant": "of objectives: only where one is `per` tenant; the first 200 groups of an objective, then `other`; of "
    "refusals: as long as there are no more than 1,000 series, then `other`",
    "limit": "as configured, by its name or by whom and what it bounds; the first 200, then `other`",
    "kind": "what was used up: `requests`, `tokens`, `concurrent`, `quota`, `budget`; `queue`: too many waited",
    "release": "only where an objective is `per` release; the first 200 groups of an objective, then `other`",
    "score": "names of scores; the first 100, then `other`",
    "version": "of the program",
    "flag": "keys of flags; the first 1,000 of flag, variant and reason together, then `other`",
    "variant": "of a flag, as defined",
    "reason": "`static`, `default`, `targeting_match`, `split`, `disabled`",
    "rule": "names under `evals.online.rules`",
    "result": "`scored`, `failed`, `unmeasured`; left out: `no_texts`, `over_budget`, `too_old`",
    "watch": "names under `evals.drift.watches`",
    "aspect": "`prompt_tokens`, `output_tokens`, `refusals`, `languages`, `topics`, `embeddings`",
}


class Definition(msgspec.Struct, frozen=True, kw_only=True):
    """``name`` as a query writes it. ``note`` is Markdown for the reference page alone. ``across`` says how numbers of
    several processes become one."""

    name: str
    kind: Kind
    help: str
    labels: tuple[str, ...] = ()
    buckets: tuple[float, ...] = ()
    across: Across = "sum"
    note: str = ""

    @property
    def series(self) -> tuple[str, ...]:
        """The names of its samples."""
        if self.kind == "histogram":
            return (f"{self.name}_bucket", f"{self.name}_count", f"{self.name}_sum")
        return (self.name,)


_CALL = ("operation", "model", "provider", "status")
_SPANS_NOTE = "Each is stored, known, damaged or waiting."
_EXPORT = ("export", "fate")
_SLO = ("slo", "model", "operation", "release", "tenant")


def _counter(
    name: str, help: str, labels: tuple[str, ...] = (), *, across: Across = "sum", note: str = ""
) -> Definition:
    return Definition(name=name, kind="counter", help=help, labels=labels, across=across, note=note)


def _gauge(name: str, help: str, labels: tuple[str, ...] = (), *, across: Across = "sum", note: str = "") -> Definition:
    return Definition(name=name, kind="gauge", help=help, labels=labels, across=across, note=note)


def _histogram(name: str, help: str, labels: tuple[str, ...], buckets: tuple[float, ...], note: str = "") -> Definition:
    return Definition(name=name, kind="histogram", help=help, labels=labels, buckets=buckets, note=note)


_CALLS = (
    _counter("llm_requests_total", "Calls that have ended.", _CALL),
    _histogram("llm_latency_seconds", "From arrival to the end of the answer.", _CALL, LATENCY_BUCKETS_S),
    _histogram("llm_ttft_seconds", "From arrival to the first content.", _CALL, LATENCY_BUCKETS_S),
    _counter(
        "llm_tokens_total",
        "Tokens; cached and cache_write are part of prompt, reasoning of completion.",
        (*_CALL, "type"),
    ),
    _counter(
        "llm_cost_usd_total",
        "What calls cost, in US dollars.",
        _CALL,
        note="Exact amounts are in the log and at `/api/usage`.",
    ),
    _counter("llm_unpriced_calls_total", "Calls of a model without a known price.", _CALL),
    _counter("llm_calls_over_limits_total", "Calls let pass over a limit in shadow mode or a soft budget.", _CALL),
    _counter(
        "llm_limiter_refusals_total",
        "Calls that a limit or a budget refused, also after waiting in the queue.",
        ("limit", "kind", "tenant"),
    ),
    _gauge("llm_limiter_waiting", "Calls in the queue, waiting for room under their limits."),
    _counter(
        "llm_errors_total",
        "Calls that failed or were refused, by why.",
        ("operation", "model", "error_type"),
        note="Refused by a limit: `rate_limit_exceeded`; by a budget: `budget_exceeded`.",
    ),
    _counter("llm_json_answers_total", "Answers of which JSON was demanded.", ("model", "valid")),
    _counter("llm_degraded_total", "Calls that a last resort answered.", ("model", "resort")),
    _counter(
        "llmops_calls_shed_total",
        "Calls turned away because the process had too much to do.",
        ("priority", "sign"),
        note="They count in `llm_requests_total` as 503 of model `none` as well.",
    ),
    _gauge("llm_requests_in_flight", "Calls under way."),
    _histogram(
        "llm_score",
        "Scores that were given, from 0 to 1.",
        ("score",),
        SCORE_BUCKETS,
        note="One that is replaced counts again.",
    ),
)

_CACHE = (
    _counter("llm_cache_calls_total", "Calls by what the cache did for them.", ("model", "state")),
    _counter("llm_cache_saved_usd_total", "What answers would have cost, had they not been there.", ("model",)),
    _counter("llmops_cache_removed_total", "Answers that were let go.", ("why",)),
    _counter(
        "llmops_cache_unreadable_total",
        "Kept answers of no use.",
        note="They were damaged or of another version; each was a miss.",
    ),
    _counter("llmops_cache_too_large_total", "Answers too large to keep.", note="They were passed on."),
    _gauge("llmops_cache_entries", "Answers kept in-process.", note="0 where they are in Redis."),
    _gauge("llmops_cache_bytes", "Memory that they take."),
    _gauge("llmops_cache_flights", "Calls upstream that others may share."),
)

_RESILIENCE = (
    _counter("llm_attempts_total", "Calls made upstream, by how they went.", ("deployment", "outcome")),
    _counter(
        "llm_streams_cut_total",
        "Streams that broke after their first content.",
        ("deployment",),
        note="Their attempts are among the `success`.",
    ),
    _gauge("llm_deployment_calls_in_flight", "Calls under way there.", ("deployment",)),
    _gauge("llm_deployment_places", "Calls that it may have at a time.", ("deployment",)),
    _gauge("llm_breaker_state", "1 for the state that it is in.", ("deployment", "state")),
    _counter("llm_breaker_changes_total", "Times it was ejected, readmitted or found dead.", ("deployment", "change")),
    _counter("llm_retries_total", "Further attempts where the call had failed.", ("model",)),
    _counter("llm_failovers_total", "Further attempts at another deployment.", ("model",)),
    _gauge("llm_retry_budget_credits", "Retries that the budget has left.", ("model",)),
)

_RECORDS = (
    _counter("llmops_log_records_written_total", "Lines in the request log."),
    _counter("llmops_log_records_dropped_total", "Records that no longer fitted while the disk refused."),
    _gauge("llmops_log_records_waiting", "Records not on disk yet."),
    _gauge("llmops_ledger_open", "Calls whose cost is reserved and not settled."),
    _counter("llmops_ledger_unwritten_total", "Reservations that could not be written; a crash would lose them."),
    _counter(
        "llmops_ledger_recovered_total",
        "Calls of a process that died, which were brought into the log afterwards.",
        note="They are in no other metric.",
    ),
    _gauge("llmops_ingest_behind_bytes", "Request log that is not in the database yet.", across="max"),
    _counter("llmops_ingest_calls_total", "Calls brought into the database."),
    _counter("llmops_ingest_unreadable_lines_total", "Lines of the request log that were no records."),
    _counter("llmops_flag_evaluations_total", "Flags decided, by what was given out.", ("flag", "variant", "reason")),
    _gauge("llmops_build_info", "Always 1.", ("version",), across="max"),
)

_SPANS = (
    _counter("llmops_spans_accepted_total", "Spans of other programs that were taken in.", note=_SPANS_NOTE),
    _counter("llmops_spans_stored_total", "Spans brought into the database."),
    _counter("llmops_spans_known_total", "Spans that came again and were there already."),
    _counter("llmops_spans_damaged_total", "Spans that were taken in and could not be kept."),
    _gauge("llmops_spans_waiting", "Spans on disk that are not in the database yet.", across="max"),
    _gauge("llmops_spans_waiting_bytes", "What the spool of spans takes on disk.", across="max"),
    _counter("llmops_spans_rejected_total", "Spans that were not taken in, as their sender was told."),
    _counter("llmops_span_exports_refused_total", "Exports of spans that were refused, by why.", ("error_type",)),
    _counter("llmops_spans_removed_total", "Spans removed for their age or for room."),
    _gauge("llmops_span_texts_unindexed", "Captured texts that cannot be searched yet.", across="max"),
)

_EXPORTS = (
    _counter("llmops_export_spans_total", "Spans by what became of them on their way to another tool.", _EXPORT),
    _counter("llmops_export_scores_total", "Scores by what became of them on their way to another tool.", _EXPORT),
    _gauge(
        "llmops_export_waiting_bytes", "Records on disk that an export has not sent yet.", ("export",), across="max"
    ),
    _gauge("llmops_export_waiting_scores", "Scores that an export has not sent yet.", ("export",), across="max"),
    _gauge("llmops_export_failing", "1 while a tool takes nothing.", ("export",), across="max"),
)

_OBJECTIVES = (
    _counter("llmops_slo_events_total", "Calls and scores that an objective judged.", (*_SLO, "verdict")),
    _counter("llmops_slo_cost_usd_total", "What calls under an objective of cost have cost, in US dollars.", _SLO),
    _gauge(
        "llmops_slo_target_ratio",
        "Share of good events that an objective promises.",
        ("slo",),
        across="max",
        note="Not for objectives of cost.",
    ),
    _gauge(
        "llmops_slo_budget_usd_per_second",
        "What an objective of cost allows, evenly spread over its window.",
        ("slo",),
        across="max",
    ),
    _gauge("llmops_slo_minimum_events", "Events before an objective's alerts may fire.", ("slo",), across="max"),
    _gauge("llmops_slo_minimum_bad_events", "Bad events before they may.", ("slo",), across="max"),
)

_ROLLOUTS = (
    _counter("llmops_mirrored_calls_total", "Calls that shadows chose, by what became of their copies.", ("result",)),
)

_EVALS = (
    _counter("llmops_online_evals_total", "Judgements of live calls by what became of them.", ("rule", "result")),
    _gauge("llmops_online_evals_spent_usd", "What judges of a rule have cost today (UTC).", ("rule",), across="max"),
    _gauge("llmops_online_evals_behind_bytes", "Log that online evals have not read yet.", across="max"),
    _gauge(
        "llmops_drift",
        "How far live calls have shifted: 0.1 is some, 0.25 much.",
        ("watch", "aspect"),
        across="max",
        note="The population stability index; of refusals Cohen's h.",
    ),
)

METRICS: Mapping[str, Definition] = {
    each.name: each
    for each in (*_CALLS, *_CACHE, *_RESILIENCE, *_RECORDS, *_SPANS, *_EXPORTS, *_OBJECTIVES, *_ROLLOUTS, *_EVALS)
}
"""By name, in the order in which they are shown."""

SERIES = frozenset(name for each in METRICS.values() for name in each.series)
"""All names that a query may use."""
