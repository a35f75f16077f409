"""Prometheus metrics, derived from the request log's records batch by batch.

The hot path counts nothing: what the log knows, the metrics know a tenth of a second later, and a scrape flushes the
log first. Label sets are bounded, because a model's label is its configured name and never what a client wrote. With
several workers each keeps its own tallies and a scrape adds them up (`worker_metrics`).
"""

import threading
from bisect import bisect_left
from collections.abc import Iterable, Iterator

import msgspec
from prometheus_client import CollectorRegistry, GCCollector, PlatformCollector, ProcessCollector, generate_latest
from prometheus_client.core import CounterMetricFamily, GaugeMetricFamily, HistogramMetricFamily, Metric

from .record import CallRecord

LATENCY_BUCKETS_S = (0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0, 30.0, 60.0, 120.0, 300.0)
TOKEN_TYPES = ("prompt", "completion", "cached", "cache_write", "reasoning")

Labels = tuple[str, str, str, str]
"""operation, model, provider, status"""


class Histogram(msgspec.Struct):
    """Counts per bucket (the last one is +Inf) and the sum of what was observed, in seconds."""

    counts: list[int] = msgspec.field(default_factory=lambda: [0] * (len(LATENCY_BUCKETS_S) + 1))
    sum_s: float = 0.0

    def observe(self, seconds: float) -> None:
        self.counts[bisect_left(LATENCY_BUCKETS_S, seconds)] += 1
        self.sum_s += seconds

    def add(self, other: "Histogram") -> None:
        self.counts = [mine + theirs for mine, theirs in zip(self.counts, other.counts, strict=True)]
        self.sum_s += other.sum_s

    def buckets(self) -> list[tuple[str, float]]:
        """Cumulative, as the exposition format wants them."""
        total = 0
        rows = []
        for bound, count in zip([*map(str, LATENCY_BUCKETS_S), "+Inf"], self.counts, strict=True):
            total += count
            rows.append((bound, float(total)))
        return rows


class Tally(msgspec.Struct):
    """All that is counted for one label set."""

    latency: Histogram = msgspec.field(default_factory=Histogram)
    ttft: Histogram = msgspec.field(default_factory=Histogram)
    tokens: list[int] = msgspec.field(default_factory=lambda: [0] * len(TOKEN_TYPES))
    cost_nanousd: int = 0
    unpriced: int = 0
    limits_over: int = 0

    def add(self, other: "Tally") -> None:
        self.latency.add(other.latency)
        self.ttft.add(other.ttft)
        self.tokens = [mine + theirs for mine, theirs in zip(self.tokens, other.tokens, strict=True)]
        self.cost_nanousd += other.cost_nanousd
        self.unpriced += other.unpriced
        self.limits_over += other.limits_over


class Snapshot(msgspec.Struct):
    """The tallies of one process at one moment; snapshots of several processes add up."""

    tallies: dict[str, Tally] = {}
    in_flight: int = 0
    log_written: int = 0
    log_dropped: int = 0
    log_waiting: int = 0


class Metrics:
    """The tallies of this process. ``observe`` may be called from any thread."""

    def __init__(self) -> None:
        self.in_flight = 0
        self._tallies: dict[Labels, Tally] = {}
        self._lock = threading.Lock()

    def observe(self, records: Iterable[CallRecord]) -> None:
        with self._lock:
            for record in records:
                labels = (record.operation, record.model, record.provider, str(record.status))
                tally = self._tallies.get(labels)
                if tally is None:
                    tally = self._tallies[labels] = Tally()
                tally.latency.observe(record.latency_ms / 1000)
                if record.ttft_ms is not None:
                    tally.ttft.observe(record.ttft_ms / 1000)
                usage, tokens = record.token_usage, tally.tokens
                tokens[0] += usage.prompt
                tokens[1] += usage.completion
                tokens[2] += usage.cached
                tokens[3] += usage.cache_write
                tokens[4] += usage.reasoning
                if record.cost_nanousd is None:
                    tally.unpriced += 1
                else:
                    tally.cost_nanousd += record.cost_nanousd
                if record.limits_over:
                    tally.limits_over += 1

    def snapshot(self, *, log_written: int = 0, log_dropped: int = 0, log_waiting: int = 0) -> Snapshot:
        with self._lock:
            tallies = {"\x1f".join(labels): tally for labels, tally in self._tallies.items()}
            # Encoding is a deep copy: the tallies go on changing.
            copied = msgspec.msgpack.decode(msgspec.msgpack.encode(tallies), type=dict[str, Tally])
        return Snapshot(
            tallies=copied,
            in_flight=self.in_flight,
            log_written=log_written,
            log_dropped=log_dropped,
            log_waiting=log_waiting,
        )


def merge(snapshots: Iterable[Snapshot]) -> Snapshot:
    total = Snapshot(tallies={})
    for snapshot in snapshots:
        total.in_flight += snapshot.in_flight
        total.log_written += snapshot.log_written
        total.log_dropped += snapshot.log_dropped
        total.log_waiting += snapshot.log_waiting
        for labels, tally in snapshot.tallies.items():
            if labels in total.tallies:
                total.tallies[labels].add(tally)
            else:
                total.tallies[labels] = tally
    return total


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
