"""Metrics: the exposition parses, its numbers are those of the log, workers add up, labels stay bounded."""

from collections.abc import Callable
from pathlib import Path

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st
from prometheus_client.parser import text_string_to_metric_families

from llmops.settings import Settings
from llmops.telemetry.exposition import exposition
from llmops.telemetry.metrics import LATENCY_BUCKETS_S, Histogram, Metrics, Snapshot, merge
from llmops.telemetry.objectives import Objective
from llmops.telemetry.record import record_of
from llmops.telemetry.worker_metrics import WorkerMetrics
from tests.fakes.gateway import CHAT, Gateway

from .calls import a_call, a_reply, finished

Samples = dict[tuple[str, tuple[tuple[str, str], ...]], float]


def samples(text: bytes) -> Samples:
    """Every sample by name and labels."""
    return {
        (sample.name, tuple(sorted(sample.labels.items()))): sample.value
        for family in text_string_to_metric_families(text.decode())
        for sample in family.samples
    }


def labels(
    *, model: str = "m", provider: str = "none", status: int = 200, operation: str = "chat", **more: str
) -> tuple[tuple[str, str], ...]:
    return tuple(
        sorted({"model": model, "provider": provider, "status": str(status), "operation": operation, **more}.items())
    )


def test_a_shadows_copy_costs_money_and_counts_for_nothing_else() -> None:
    metrics = Metrics()
    objectives = Objective(name="up", kind="availability", target=0.9), Objective(name="money", kind="cost", limit=1.0)
    metrics.set_objectives(objectives)
    whole = record_of(finished(), b"k" * 32)
    copy = msgspec.structs.replace(
        whole, arm="shadow", status=503, error_type="upstream_error", json_valid=False, cost_nanousd=2_000_000_000
    )
    metrics.observe([copy])
    said = {name: value for (name, _), value in samples(exposition(metrics.snapshot())).items() if value}
    assert said["llm_cost_usd_total"] == said["llmops_slo_cost_usd_total"] == 2
    assert "llm_tokens_total" in said
    counted = ("llm_requests_total", "llm_latency_seconds_count", "llm_ttft_seconds_count", "llmops_slo_events_total")
    assert not said.keys() & {*counted, "llm_errors_total", "llm_json_answers_total"}


def test_the_exposition_says_what_was_observed() -> None:
    metrics = Metrics()
    metrics.observe([record_of(finished(number), b"k" * 32) for number in range(3)])
    metrics.in_flight = 2
    found = samples(exposition(metrics.snapshot(log_written=3, log_dropped=1, log_waiting=4)))
    assert found["llm_requests_total", labels()] == 3
    assert found["llm_latency_seconds_count", labels()] == 3
    assert found["llm_latency_seconds_sum", labels()] == pytest.approx(1.5)
    assert found["llm_latency_seconds_bucket", labels(le="0.5")] == 3
    assert found["llm_latency_seconds_bucket", labels(le="0.25")] == 0
    assert found["llm_latency_seconds_bucket", labels(le="+Inf")] == 3
    assert found["llm_ttft_seconds_sum", labels()] == pytest.approx(0.375)
    for kind, count in (("prompt", 21), ("completion", 15), ("cached", 6), ("reasoning", 3)):
        assert found["llm_tokens_total", labels(type=kind)] == count
    assert found["llm_requests_in_flight", ()] == 2
    assert (
        found["llmops_log_records_written_total", ()],
        found["llmops_log_records_dropped_total", ()],
        found["llmops_log_records_waiting", ()],
    ) == (3, 1, 4)


def test_nothing_observed_is_an_exposition_too() -> None:
    assert samples(exposition(Metrics().snapshot()))["llm_requests_in_flight", ()] == 0


@pytest.mark.parametrize("name", ['quote"', "back\\slash", "line\nbreak", "日本"])
def test_any_model_name_survives_the_format(name: str) -> None:
    metrics = Metrics()
    metrics.observe([record_of(finished(call=a_call(model=name)), b"k" * 32)])
    assert samples(exposition(metrics.snapshot()))["llm_requests_total", labels(model=name)] == 1


@given(st.lists(st.floats(0, 1000), max_size=30), st.lists(st.floats(0, 1000), max_size=30))
def test_a_histogram_counts_each_value_once_and_sums_with_others(mine: list[float], theirs: list[float]) -> None:
    first, second = Histogram(), Histogram()
    for value in mine:
        first.observe(value)
    for value in theirs:
        second.observe(value)
    first.add(second)
    rows = first.buckets()
    assert [bound for bound, _ in rows] == [*map(str, LATENCY_BUCKETS_S), "+Inf"]
    for bound, count in rows:
        assert count == sum(value <= float(bound) for value in mine + theirs)
    assert first.sum_s == pytest.approx(sum(mine) + sum(theirs))


def test_a_snapshot_is_a_copy() -> None:
    metrics = Metrics()
    metrics.observe([record_of(finished(), b"k" * 32)])
    before = metrics.snapshot()
    metrics.observe([record_of(finished(), b"k" * 32)])
    assert samples(exposition(before))["llm_requests_total", labels()] == 1


def snapshot(count: int, *, model: str = "m", in_flight: int = 0) -> Snapshot:
    metrics = Metrics()
    metrics.observe([record_of(finished(call=a_call(model=model)), b"k" * 32) for _ in range(count)])
    metrics.in_flight = in_flight
    return metrics.snapshot(log_written=count)


def test_snapshots_add_up() -> None:
    found = samples(exposition(merge([snapshot(2), snapshot(3, in_flight=1), snapshot(1, model="other", in_flight=2)])))
    assert found["llm_requests_total", labels()] == 5
    assert found["llm_requests_total", labels(model="other")] == 1
    assert found["llm_latency_seconds_sum", labels()] == pytest.approx(2.5)
    assert found["llm_requests_in_flight", ()] == 3 and found["llmops_log_records_written_total", ()] == 6
    assert merge([]) == Snapshot(tallies={})


def test_workers_meet_in_a_folder(tmp_path: Path) -> None:
    """Another worker that lives counts in full; one that has died keeps its counts and loses its load."""
    folder = tmp_path / "workers"
    mine, other, dead = WorkerMetrics(folder), WorkerMetrics(folder), WorkerMetrics(folder)
    dead.publish(lambda: snapshot(5, in_flight=3))
    other.publish(lambda: snapshot(7, in_flight=3))
    mine.publish(lambda: snapshot(100))  # what is published of myself is not counted again
    (folder / "1.metrics").write_bytes(b"damaged")
    (folder / "2.draft").write_bytes(b"half")
    dead.close()
    found = samples(exposition(mine.together(snapshot(2, in_flight=1))))
    assert found["llm_requests_total", labels()] == 14
    assert found["llm_requests_in_flight", ()] == 4
    other.close()
    mine.close()


def test_a_process_with_the_id_of_a_dead_one_leaves_its_counts_alone(tmp_path: Path) -> None:
    """All of these have this process's id."""
    before = WorkerMetrics(tmp_path)
    before.publish(lambda: snapshot(5, in_flight=3))
    before.close()
    after = WorkerMetrics(tmp_path)
    after.publish(lambda: snapshot(1))
    found = samples(exposition(after.together(snapshot(1))))
    assert (found["llm_requests_total", labels()], found["llm_requests_in_flight", ()]) == (6, 0)
    after.close()


async def test_the_numbers_are_those_of_the_log(settings: Callable[..., Settings]) -> None:
    async with Gateway(settings({"other-*": [{"provider": "mock", "mock": {"error_rate": 1.0}}]})) as gateway:
        for number in range(7):
            await gateway.post("/v1/chat/completions", {**CHAT, "stream": number % 2 == 0})
        for number in range(3):
            await gateway.post("/v1/chat/completions", {**CHAT, "model": f"other-{number}"})
        await gateway.post("/v1/chat/completions", {**CHAT, "model": "no-such-model"})
        await gateway.post("/v1/messages", b"nonsense")
        text = (await gateway.get("/metrics")).body
        found, log = samples(text), await gateway.records()
        assert found["llm_requests_total", labels(model="mock", provider="mock")] == 7
        assert found["llm_requests_total", labels(model="other-*", provider="mock", status=503)] == 3
        assert found["llm_requests_total", labels(model="none", status=404)] == 1
        assert found["llm_requests_total", labels(model="none", status=400, operation="messages")] == 1
        assert found["llmops_log_records_written_total", ()] == len(log) == 12
        for kind in ("prompt", "completion"):
            logged = sum(line["token_usage"][kind] for line in log if line["model"] == "mock")
            assert found["llm_tokens_total", labels(model="mock", provider="mock", type=kind)] == logged > 0
        assert found["llm_latency_seconds_sum", labels(model="mock", provider="mock")] == pytest.approx(
            sum(line["latency_ms"] for line in log if line["model"] == "mock") / 1000
        )
        assert "no-such-model" not in text.decode()


def test_a_call_without_content_has_no_time_to_it() -> None:
    metrics = Metrics()
    reply = a_reply()
    reply.outcome.first_content_s = None
    metrics.observe([record_of(finished(reply=reply), b"k" * 32)])
    assert b"llm_ttft_seconds_count" not in exposition(metrics.snapshot())


def test_what_was_shed_is_counted_by_priority_and_sign_and_adds_up_over_workers() -> None:
    workers = [Metrics(), Metrics()]
    for metrics in workers:
        metrics.shed("low", "lag")
    workers[0].shed("normal", "memory")
    found = samples(exposition(merge(metrics.snapshot() for metrics in workers)))
    assert found["llmops_calls_shed_total", (("priority", "low"), ("sign", "lag"))] == 2
    assert found["llmops_calls_shed_total", (("priority", "normal"), ("sign", "memory"))] == 1
