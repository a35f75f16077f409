"""What is counted: tallies derived from the request log's records batch by batch, and the health of deployments.

The hot path counts nothing here: what the log knows, the metrics know a tenth of a second later, and a scrape flushes
the log first. Label sets are bounded, because a model's label is its configured name and never what a client wrote.
With several workers each keeps its own tallies and a scrape adds them up (`worker_metrics`). How they are written for
Prometheus is `exposition`'s business.
"""

import threading
from bisect import bisect_left
from collections.abc import Iterable
from typing import ClassVar

import msgspec

from ..types import SHADOW
from .cache_figures import CacheFigures
from .figures import Figure, Figures
from .health import Health
from .metric_table import LATENCY_BUCKETS_S, SCORE_BUCKETS
from .objectives import Objective, ObjectiveTally
from .record import CallRecord

_MAX_SCORES = 100
TOKEN_TYPES = ("prompt", "completion", "cached", "cache_write", "reasoning")

Labels = tuple[str, str, str, str]
"""operation, model, provider, status"""


class Histogram(msgspec.Struct):
    """Counts per bucket (the last one is +Inf) and the sum of what was observed, in seconds."""

    BOUNDS: ClassVar[tuple[float, ...]] = LATENCY_BUCKETS_S

    counts: list[int] = msgspec.field(default_factory=lambda: [0] * (len(LATENCY_BUCKETS_S) + 1))
    sum_s: float = 0.0

    def observe(self, seconds: float) -> None:
        self.counts[bisect_left(self.BOUNDS, seconds)] += 1
        self.sum_s += seconds

    def add(self, other: "Histogram") -> None:
        self.counts = [mine + theirs for mine, theirs in zip(self.counts, other.counts, strict=True)]
        self.sum_s += other.sum_s

    def buckets(self) -> list[tuple[str, float]]:
        """Cumulative, as the exposition format wants them."""
        total = 0
        rows = []
        for bound, count in zip([*map(str, self.BOUNDS), "+Inf"], self.counts, strict=True):
            total += count
            rows.append((bound, float(total)))
        return rows


class ScoreHistogram(Histogram):
    """Scores from 0 to 1."""

    BOUNDS: ClassVar[tuple[float, ...]] = SCORE_BUCKETS

    counts: list[int] = msgspec.field(default_factory=lambda: [0] * (len(SCORE_BUCKETS) + 1))


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
    shed: dict[str, int] = {}
    """Calls turned away at overload, by priority and sign."""
    degraded: dict[str, int] = {}
    """Calls that a last resort answered, by model and resort."""
    log_written: int = 0
    log_dropped: int = 0
    log_waiting: int = 0
    cache: CacheFigures = msgspec.field(default_factory=CacheFigures)
    health: Health = msgspec.field(default_factory=Health)
    scores: dict[str, ScoreHistogram] = {}
    """By name."""
    figures: Figures = msgspec.field(default_factory=Figures)
    """All that has no place of its own here."""

    def rest(self) -> None:
        """Of a process that has ended: what it counted stays, what it carried is gone."""
        self.in_flight = self.log_waiting = 0
        self.cache.rest()
        self.health.rest()
        self.figures.rest()


class Metrics:
    """The tallies of this process. ``observe`` may be called from any thread."""

    def __init__(self) -> None:
        self.in_flight = 0
        self._shed: dict[tuple[str, str], int] = {}
        self._degraded: dict[tuple[str, str], int] = {}
        self._tallies: dict[Labels, Tally] = {}
        self._cache = CacheFigures()
        self._objectives = ObjectiveTally()
        self._errors: dict[tuple[str, str, str], int] = {}
        self._json: dict[tuple[str, str], int] = {}
        self._scores: dict[str, ScoreHistogram] = {}
        self._lock = threading.Lock()

    def observe(self, records: Iterable[CallRecord]) -> None:
        with self._lock:
            for record in records:
                labels = (record.operation, record.model, record.provider, str(record.status))
                tally = self._tallies.get(labels)
                if tally is None:
                    tally = self._tallies[labels] = Tally()
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
                self._objectives.observe(record)
                if record.arm == SHADOW:
                    continue  # a copy costs money and counts for nothing else
                tally.latency.observe(record.latency_ms / 1000)
                if record.ttft_ms is not None:
                    tally.ttft.observe(record.ttft_ms / 1000)
                if record.limits_over:
                    tally.limits_over += 1
                if record.cache is not None:
                    self._cache.observe(record)
                if record.degraded is not None:
                    resort = (record.model, record.degraded)
                    self._degraded[resort] = self._degraded.get(resort, 0) + 1
                if record.error_type is not None:
                    error = (record.operation, record.model, record.error_type)
                    self._errors[error] = self._errors.get(error, 0) + 1
                if record.json_valid is not None:
                    answer = (record.model, "true" if record.json_valid else "false")
                    self._json[answer] = self._json.get(answer, 0) + 1

    def set_objectives(self, objectives: Iterable[Objective]) -> None:
        """Judge calls by these from now on."""
        with self._lock:
            self._objectives.set_out(objectives)

    def score(self, name: str, value: float, *, tenant: str) -> None:
        """A score was given, by a person or a judge."""
        with self._lock:
            shown = name if name in self._scores or len(self._scores) < _MAX_SCORES else "other"
            self._scores.setdefault(shown, ScoreHistogram()).observe(value)
            self._objectives.score(name, value, tenant=tenant)

    def shed(self, priority: str, sign: str) -> None:
        """A call was turned away unread; counted at once, on the event loop."""
        labels = (priority, sign)
        self._shed[labels] = self._shed.get(labels, 0) + 1

    def snapshot(
        self,
        *,
        log_written: int = 0,
        log_dropped: int = 0,
        log_waiting: int = 0,
        cache: CacheFigures | None = None,
        health: Health | None = None,
        figures: Iterable[Figure] = (),
    ) -> Snapshot:
        """``cache`` is the store's part of its figures; ``figures`` are what others have counted."""
        kept, more = CacheFigures(), Figures()
        more.put(figures)
        with self._lock:
            tallies = {"\x1f".join(labels): tally for labels, tally in self._tallies.items()}
            # Encoding is a deep copy: the tallies go on changing.
            copied = msgspec.msgpack.decode(msgspec.msgpack.encode(tallies), type=dict[str, Tally])
            kept.add(self._cache)
            for error, count in self._errors.items():
                more.count("llm_errors_total", *error, more=count)
            for answer, count in self._json.items():
                more.count("llm_json_answers_total", *answer, more=count)
            self._objectives.put_into(more)
            scores = {name: ScoreHistogram(each.counts.copy(), each.sum_s) for name, each in self._scores.items()}
        if cache is not None:
            kept.add(cache)
        return Snapshot(
            tallies=copied,
            in_flight=self.in_flight,
            shed={"\x1f".join(labels): count for labels, count in self._shed.copy().items()},
            degraded={"\x1f".join(labels): count for labels, count in self._degraded.copy().items()},
            log_written=log_written,
            log_dropped=log_dropped,
            log_waiting=log_waiting,
            cache=kept,
            health=health or Health(),
            scores=scores,
            figures=more,
        )


def merge(snapshots: Iterable[Snapshot]) -> Snapshot:
    total = Snapshot(tallies={})
    for snapshot in snapshots:
        total.in_flight += snapshot.in_flight
        for labels, count in snapshot.shed.items():
            total.shed[labels] = total.shed.get(labels, 0) + count
        for labels, count in snapshot.degraded.items():
            total.degraded[labels] = total.degraded.get(labels, 0) + count
        total.log_written += snapshot.log_written
        total.log_dropped += snapshot.log_dropped
        total.log_waiting += snapshot.log_waiting
        total.cache.add(snapshot.cache)
        total.health.add(snapshot.health)
        total.figures.add(snapshot.figures)
        for labels, scores in snapshot.scores.items():
            total.scores.setdefault(labels, ScoreHistogram()).add(scores)
        for labels, tally in snapshot.tallies.items():
            if labels in total.tallies:
                total.tallies[labels].add(tally)
            else:
                total.tallies[labels] = tally
    return total
