"""What rules read of the rollups, against figures worked out from the calls, on both databases."""

from datetime import UTC, datetime

import pytest
from sqlalchemy import insert

from llmops.monitoring.alerts.repository.figures import RollupFigures
from llmops.monitoring.alerts.repository.scores import ScoreMeans
from llmops.monitoring.alerts.sources import MeanScore
from llmops.store.database import Database
from llmops.store.tables import calls
from llmops.telemetry.assessments.assessment import Assessment
from llmops.telemetry.assessments.repository.assessments import AssessmentRepository
from llmops.telemetry.rollups.repository.writer import RollupWriter

NOW_S = int(datetime(2026, 11, 20, 12, 30, tzinfo=UTC).timestamp())


class Called:
    """A call as rollups read it."""

    operation, cache, cached, degraded, attempts, json_valid, ttft_ms = "chat", None, False, None, 1, None, None
    prompt_tokens = completion_tokens = cached_tokens = saved_nanousd = 0
    arm = None

    def __init__(
        self, ago_s: float, tenant: str | None, model: str, *, status: int = 200, error: str | None = None,
        latency_ms: float = 100.0, nanousd: int = 1000, release: str | None = None,
    ) -> None:  # fmt: skip
        self.started_at_ms = int((NOW_S - ago_s) * 1000)
        self.tenant, self.model, self.release_id = tenant, model, release
        self.status, self.error_type = status, error
        self.latency_ms, self.cost_nanousd = latency_ms, nanousd


@pytest.fixture
def figures(database: Database) -> RollupFigures:
    database.ensure()
    calls = [
        *(Called(60, "acme", "gpt", latency_ms=2000.0) for _ in range(30)),
        *(Called(60, "acme", "claude") for _ in range(10)),
        Called(60, "acme", "gpt", status=500, error="internal_error"),
        Called(60, "acme", "gpt", status=429, error="upstream_rate_limited"),
        Called(60, "acme", "gpt", status=429, error="rate_limit_exceeded"),
        Called(60, "other", "gpt", release="r1"),
        Called(60, "llmops", "gpt", latency_ms=9000.0),
        Called(60, None, "unknown", status=401, error="invalid_api_key"),
        Called(7200, "acme", "gpt", nanousd=7),
    ]
    with database.write("usage") as connection:
        RollupWriter(embedded=database.folder is not None).add(connection, calls)
    return RollupFigures(database)


def test_failures_are_ours_and_probes_are_nobodys(figures: RollupFigures) -> None:
    everything = figures.window(NOW_S - 300, NOW_S, [])[()]
    assert (everything.calls, everything.failures) == (43, 2)
    assert set(figures.window(NOW_S - 300, NOW_S, ["tenant"])) == {("acme",), ("other",)}


def test_dimensions_are_told_apart(figures: RollupFigures) -> None:
    found = figures.window(NOW_S - 300, NOW_S, ["tenant", "model"])
    assert {key: (each.calls, each.failures) for key, each in found.items()} == {
        ("acme", "gpt"): (32, 2),
        ("acme", "claude"): (10, 0),
        ("other", "gpt"): (1, 0),
    }
    assert figures.window(NOW_S - 300, NOW_S, ["release"])["r1",].calls == 1
    latency_s = found["acme", "gpt"].latency_s(0.95)
    assert latency_s is not None and abs(latency_s - 2) < 2 * 0.045


def test_a_window_is_cut_at_minutes(figures: RollupFigures) -> None:
    assert figures.window(NOW_S - 7300, NOW_S - 7000, ["tenant"])["acme",].calls == 1
    assert figures.window(NOW_S - 600, NOW_S - 300, []) == {}


def test_spend_by_hour(figures: RollupFigures) -> None:
    hour = NOW_S // 3600
    found = figures.spend([hour, hour - 2, hour - 24], ["tenant", "model"])
    assert found["acme", "gpt"] == {hour: 33_000, hour - 2: 7}


def test_means_of_scores(database: Database) -> None:
    def scored(number: int, tenant: str, value: float | None, ago_s: float = 60) -> Assessment:
        at_ms = int((NOW_S - ago_s) * 1000)
        return Assessment(
            id=str(number), tenant=tenant, target="trace", trace_id=f"{number:032x}", name="helpful", value=value,
            label="fine", created_at_ms=at_ms,
        )  # fmt: skip

    database.ensure()
    AssessmentRepository(database).store(
        [scored(1, "acme", 1.0), scored(2, "acme", 0.5), scored(3, "other", 0.0), scored(4, "other", None),
         scored(5, "acme", 0.0, ago_s=900)]
    )  # fmt: skip
    call = {name: "" for name in ("operation", "provider", "usage_source", "tags")}
    counts = ("log_file", "latency_ms", "prompt_tokens", "completion_tokens", "cached_tokens", "cache_write_tokens")
    with database.write("usage") as connection:
        connection.execute(
            insert(calls).values(
                **call, **dict.fromkeys(counts, 0), request_id="r", day=datetime.now(UTC).date(), started_at_ms=0,
                tenant="acme", model="gpt", status=200, stream=False, cached=False, recovered=False,
                reasoning_tokens=0, trace_id=f"{1:032x}", span_id="a" * 16,
            )
        )  # fmt: skip
    means = ScoreMeans(database)
    assert means.window("helpful", NOW_S - 300, NOW_S, []) == {(): MeanScore(3, 1.5)}
    assert means.window("helpful", NOW_S - 300, NOW_S, ["tenant", "model"]) == {
        ("acme", "gpt"): MeanScore(1, 1.0),
        ("acme", None): MeanScore(1, 0.5),
        ("other", None): MeanScore(1, 0.0),
    }
    assert means.window("nobody", NOW_S - 300, NOW_S, []) == {}
