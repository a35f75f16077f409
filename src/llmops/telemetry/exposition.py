"""The metrics as Prometheus scrapes them: every one of the metric table, in its order, filled from a snapshot."""

from collections.abc import Iterable, Iterator, Mapping
from typing import Any

from prometheus_client import CollectorRegistry, GCCollector, PlatformCollector, ProcessCollector, generate_latest
from prometheus_client.core import CounterMetricFamily, GaugeMetricFamily, HistogramMetricFamily, Metric

from .cache_figures import CacheFigures
from .figures import JOINED
from .health import STATES, Health
from .metric_table import METRICS, Definition
from .metrics import TOKEN_TYPES, Histogram, Snapshot, Tally

Row = tuple[str, Iterable[str], float | Histogram]
"""A metric's name, its labels' values and what it says."""


def exposition(snapshot: Snapshot) -> bytes:
    """The text that Prometheus scrapes: the gateway's own metrics and those of the process."""
    registry = CollectorRegistry(auto_describe=False)
    registry.register(_Families(snapshot))
    ProcessCollector(registry=registry)
    PlatformCollector(registry=registry)
    GCCollector(registry=registry)
    return generate_latest(registry)


class _Families:
    def __init__(self, snapshot: Snapshot) -> None:
        self._snapshot = snapshot

    def collect(self) -> Iterator[Metric]:
        families = {name: _family(definition) for name, definition in METRICS.items()}
        for name, labels, value in rows(self._snapshot):
            if isinstance(value, Histogram):
                families[name].add_metric(list(labels), value.buckets(), value.sum_s)
            else:
                families[name].add_metric(list(labels), float(value))
        yield from families.values()


def _family(definition: Definition) -> Any:
    """An empty family; the library adds ``_total`` to a counter's name by itself."""
    labels = definition.labels
    if definition.kind == "histogram":
        return HistogramMetricFamily(definition.name, definition.help, labels=labels)
    if definition.kind == "counter":
        return CounterMetricFamily(definition.name.removesuffix("_total"), definition.help, labels=labels)
    return GaugeMetricFamily(definition.name, definition.help, labels=labels)


def rows(snapshot: Snapshot) -> Iterator[Row]:
    """All that a snapshot says, metric by metric and label by label."""
    for joined, tally in sorted(snapshot.tallies.items()):
        yield from _of_calls(joined.split(JOINED), tally)
    yield from _counted("llmops_calls_shed_total", snapshot.shed)
    yield from _counted("llm_degraded_total", snapshot.degraded)
    for score, scores in sorted(snapshot.scores.items()):
        yield "llm_score", [score], scores
    yield "llm_requests_in_flight", (), snapshot.in_flight
    yield "llmops_log_records_written_total", (), snapshot.log_written
    yield "llmops_log_records_dropped_total", (), snapshot.log_dropped
    yield "llmops_log_records_waiting", (), snapshot.log_waiting
    yield from _of_cache(snapshot.cache)
    yield from _of_health(snapshot.health)
    for name, values in snapshot.figures.values.items():
        yield from _counted(name, values)


def _counted(name: str, values: Mapping[str, float]) -> Iterator[Row]:
    labelled = bool(METRICS[name].labels)
    for joined, value in sorted(values.items()):
        yield name, joined.split(JOINED) if labelled else (), value


def _of_calls(labels: list[str], tally: Tally) -> Iterator[Row]:
    yield "llm_requests_total", labels, sum(tally.latency.counts)
    yield "llm_latency_seconds", labels, tally.latency
    if any(tally.ttft.counts):
        yield "llm_ttft_seconds", labels, tally.ttft
    for kind, count in zip(TOKEN_TYPES, tally.tokens, strict=True):
        if count:
            yield "llm_tokens_total", [*labels, kind], count
    yield "llm_cost_usd_total", labels, tally.cost_nanousd / 1e9
    if tally.unpriced:
        yield "llm_unpriced_calls_total", labels, tally.unpriced
    if tally.limits_over:
        yield "llm_calls_over_limits_total", labels, tally.limits_over


def _of_cache(cache: CacheFigures) -> Iterator[Row]:
    """What the cache did for calls, and what lies in it."""
    yield from _counted("llm_cache_calls_total", cache.calls)
    for model, nanousd in sorted(cache.saved_nanousd.items()):
        yield "llm_cache_saved_usd_total", [model], nanousd / 1e9
    yield from _counted("llmops_cache_removed_total", cache.removed)
    yield "llmops_cache_unreadable_total", (), cache.unreadable
    yield "llmops_cache_too_large_total", (), cache.too_large
    yield "llmops_cache_entries", (), cache.entries
    yield "llmops_cache_bytes", (), cache.bytes
    yield "llmops_cache_flights", (), cache.flights


def _of_health(health: Health) -> Iterator[Row]:
    """Deployments, and what models may spend on retries."""
    for name, each in sorted(health.deployments.items()):
        for outcome, count in sorted(each.attempts.items()):
            yield "llm_attempts_total", [name, outcome], count
        yield "llm_streams_cut_total", [name], each.cut
        yield "llm_deployment_calls_in_flight", [name], each.calls
        yield "llm_deployment_places", [name], each.places
        for known in STATES:
            yield "llm_breaker_state", [name, known], float(each.state == known)
        for change, count in sorted(each.changes.items()):
            yield "llm_breaker_changes_total", [name, change], count
    for name, model in sorted(health.models.items()):
        yield "llm_retries_total", [name], model.retries
        yield "llm_failovers_total", [name], model.failovers
        yield "llm_retry_budget_credits", [name], model.credits
