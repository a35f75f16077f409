"""The metrics as Prometheus scrapes them: one family a method's yield, in the order of the reference page."""

from collections.abc import Iterator

from prometheus_client import CollectorRegistry, GCCollector, PlatformCollector, ProcessCollector, generate_latest
from prometheus_client.core import CounterMetricFamily, GaugeMetricFamily, HistogramMetricFamily, Metric

from .cache_figures import CacheFigures
from .health import STATES, Health
from .metrics import TOKEN_TYPES, Snapshot


def exposition(snapshot: Snapshot) -> bytes:
    """The text that Prometheus scrapes: the gateway's own metrics and those of the process."""
    registry = CollectorRegistry(auto_describe=False)
    registry.register(_Families(snapshot))
    registry.register(_CacheFamilies(snapshot.cache))
    registry.register(_HealthFamilies(snapshot.health))
    ProcessCollector(registry=registry)
    PlatformCollector(registry=registry)
    GCCollector(registry=registry)
    return generate_latest(registry)


class _Families:
    def __init__(self, snapshot: Snapshot) -> None:
        self._snapshot = snapshot

    def collect(self) -> Iterator[Metric]:
        names = ("operation", "model", "provider", "status")
        requests = CounterMetricFamily("llm_requests", "Calls that have ended.", labels=names)
        latency = HistogramMetricFamily("llm_latency_seconds", "From request to the end of the answer.", labels=names)
        ttft = HistogramMetricFamily("llm_ttft_seconds", "From request to the first content.", labels=names)
        tokens = CounterMetricFamily(
            "llm_tokens",
            "Tokens; cached and cache_write are part of prompt, reasoning of completion.",
            labels=(*names, "type"),
        )
        cost = CounterMetricFamily("llm_cost_usd", "What calls cost, in US dollars.", labels=names)
        unpriced = CounterMetricFamily("llm_unpriced_calls", "Calls of a model without a known price.", labels=names)
        over = CounterMetricFamily(
            "llm_calls_over_limits", "Calls let pass over a limit in shadow mode or a soft budget.", labels=names
        )
        for joined, tally in sorted(self._snapshot.tallies.items()):
            labels = joined.split("\x1f")
            requests.add_metric(labels, sum(tally.latency.counts))
            latency.add_metric(labels, tally.latency.buckets(), tally.latency.sum_s)
            if any(tally.ttft.counts):
                ttft.add_metric(labels, tally.ttft.buckets(), tally.ttft.sum_s)
            for kind, count in zip(TOKEN_TYPES, tally.tokens, strict=True):
                if count:
                    tokens.add_metric([*labels, kind], count)
            cost.add_metric(labels, tally.cost_nanousd / 1e9)
            if tally.unpriced:
                unpriced.add_metric(labels, tally.unpriced)
            if tally.limits_over:
                over.add_metric(labels, tally.limits_over)
        yield from (requests, latency, ttft, tokens, cost, unpriced, over)
        shed = CounterMetricFamily(
            "llmops_calls_shed",
            "Calls turned away because the process had too much to do.",
            labels=("priority", "sign"),
        )
        for joined, count in sorted(self._snapshot.shed.items()):
            shed.add_metric(joined.split("\x1f"), count)
        yield shed
        degraded = CounterMetricFamily("llm_degraded", "Calls that a last resort answered.", labels=("model", "resort"))
        for joined, count in sorted(self._snapshot.degraded.items()):
            degraded.add_metric(joined.split("\x1f"), count)
        yield degraded
        yield GaugeMetricFamily("llm_requests_in_flight", "Calls under way.", value=self._snapshot.in_flight)
        yield CounterMetricFamily(
            "llmops_log_records_written", "Lines in the request log.", value=self._snapshot.log_written
        )
        yield CounterMetricFamily(
            "llmops_log_records_dropped",
            "Records that no longer fitted while the disk refused.",
            value=self._snapshot.log_dropped,
        )
        yield GaugeMetricFamily(
            "llmops_log_records_waiting", "Records not on disk yet.", value=self._snapshot.log_waiting
        )


class _CacheFamilies:
    """What the cache did for calls, and what lies in it."""

    def __init__(self, cache: CacheFigures) -> None:
        self._cache = cache

    def collect(self) -> Iterator[Metric]:
        cache = self._cache
        calls = CounterMetricFamily(
            "llm_cache_calls", "Calls by what the cache did for them.", labels=("model", "state")
        )
        for joined, count in sorted(cache.calls.items()):
            calls.add_metric(joined.split("\x1f"), count)
        saved = CounterMetricFamily(
            "llm_cache_saved_usd", "What answers would have cost, had they not been there.", labels=("model",)
        )
        for model, nanousd in sorted(cache.saved_nanousd.items()):
            saved.add_metric([model], nanousd / 1e9)
        removed = CounterMetricFamily("llmops_cache_removed", "Answers that were let go.", labels=("why",))
        for why, count in sorted(cache.removed.items()):
            removed.add_metric([why], count)
        yield from (calls, saved, removed)
        yield CounterMetricFamily("llmops_cache_unreadable", "Kept answers of no use.", value=cache.unreadable)
        yield CounterMetricFamily("llmops_cache_too_large", "Answers too large to keep.", value=cache.too_large)
        yield GaugeMetricFamily("llmops_cache_entries", "Answers kept in-process.", value=cache.entries)
        yield GaugeMetricFamily("llmops_cache_bytes", "Memory that they take.", value=cache.bytes)
        yield GaugeMetricFamily("llmops_cache_flights", "Calls upstream that others may share.", value=cache.flights)


class _HealthFamilies:
    """Deployments, and what models may spend on retries."""

    def __init__(self, health: Health) -> None:
        self._health = health

    def collect(self) -> Iterator[Metric]:
        yield from self._attempts()
        yield from self._breakers()
        yield from self._models()

    def _attempts(self) -> Iterator[Metric]:
        by = ("deployment",)
        attempts = CounterMetricFamily(
            "llm_attempts", "Calls made upstream, by how they went.", labels=(*by, "outcome")
        )
        cut = CounterMetricFamily("llm_streams_cut", "Streams that broke after their first content.", labels=by)
        under_way = GaugeMetricFamily("llm_deployment_calls_in_flight", "Calls under way there.", labels=by)
        places = GaugeMetricFamily("llm_deployment_places", "Calls that it may have at a time.", labels=by)
        for name, each in sorted(self._health.deployments.items()):
            for outcome, count in sorted(each.attempts.items()):
                attempts.add_metric([name, outcome], count)
            cut.add_metric([name], each.cut)
            under_way.add_metric([name], each.calls)
            places.add_metric([name], each.places)
        yield from (attempts, cut, under_way, places)

    def _breakers(self) -> Iterator[Metric]:
        state = GaugeMetricFamily("llm_breaker_state", "1 for the state that it is in.", labels=("deployment", "state"))
        changes = CounterMetricFamily(
            "llm_breaker_changes", "Times it was ejected, readmitted or found dead.", labels=("deployment", "change")
        )
        for name, each in sorted(self._health.deployments.items()):
            for known in STATES:
                state.add_metric([name, known], float(each.state == known))
            for change, count in sorted(each.changes.items()):
                changes.add_metric([name, change], count)
        yield from (state, changes)

    def _models(self) -> Iterator[Metric]:
        by = ("model",)
        retries = CounterMetricFamily("llm_retries", "Further attempts where the call had failed.", labels=by)
        failovers = CounterMetricFamily("llm_failovers", "Further attempts at another deployment.", labels=by)
        credits = GaugeMetricFamily("llm_retry_budget_credits", "Retries that the budget has left.", labels=by)
        for name, each in sorted(self._health.models.items()):
            retries.add_metric([name], each.retries)
            failovers.add_metric([name], each.failovers)
            credits.add_metric([name], each.credits)
        yield from (retries, failovers, credits)
