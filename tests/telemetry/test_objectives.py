"""Objectives: what counts for them, whose budget it is, and that their series stay bounded."""

from typing import Any

import msgspec
import pytest

from llmops.telemetry.figures import Figures
from llmops.telemetry.objectives import MAX_GROUPS, Objective, ObjectiveTally
from llmops.telemetry.record import CallRecord, record_of

from .calls import finished

AVAILABLE = Objective(name="up", kind="availability", target=0.99)


def a_record(**fields: Any) -> CallRecord:
    return msgspec.structs.replace(record_of(finished(), b"k" * 32), **fields)


@pytest.mark.parametrize(
    ("fields", "verdict"),
    [
        ({"status": 200}, True),
        ({"status": 500}, False),
        ({"status": 503, "error_type": "overloaded"}, False),
        ({"status": 400, "error_type": "invalid_request"}, None),
        ({"status": 429, "error_type": "rate_limit_exceeded"}, None),
        ({"status": 499, "error_type": "client_disconnected"}, None),
        ({"status": 429, "error_type": "upstream_rate_limited"}, False),
    ],
)
def test_availability_is_about_what_was_ours_to_answer(fields: dict[str, Any], verdict: bool | None) -> None:
    assert AVAILABLE.judge(a_record(**fields)) is verdict


@pytest.mark.parametrize(
    ("objective", "fields", "verdict"),
    [
        (Objective(name="fast", kind="latency", target=0.9, limit=0.5), {"latency_ms": 500.0}, True),
        (Objective(name="fast", kind="latency", target=0.9, limit=0.5), {"latency_ms": 500.1}, False),
        (Objective(name="fast", kind="latency", target=0.9, limit=0.5), {"status": 503}, None),
        (Objective(name="first", kind="ttft", target=0.9, limit=0.5), {"ttft_ms": 100.0}, True),
        (Objective(name="first", kind="ttft", target=0.9, limit=0.5), {"ttft_ms": None}, None),
        (Objective(name="json", kind="quality", target=0.9), {"json_valid": False}, False),
        (Objective(name="json", kind="quality", target=0.9), {"json_valid": None}, None),
        (Objective(name="true", kind="quality", target=0.9, score="truth"), {"json_valid": False}, None),
    ],
)
def test_other_objectives_are_about_calls_that_went_well(
    objective: Objective, fields: dict[str, Any], verdict: bool | None
) -> None:
    assert objective.judge(a_record(**fields)) is verdict


def counted(tally: ObjectiveTally, metric: str = "llmops_slo_events_total") -> dict[str, float]:
    figures = Figures()
    tally.put_into(figures)
    return {joined.replace("\x1f", "|"): value for joined, value in figures.values.get(metric, {}).items()}


def test_an_objective_without_groups_is_there_before_the_first_call() -> None:
    assert counted(ObjectiveTally([AVAILABLE])) == {"up|||||good": 0, "up|||||bad": 0}


def test_calls_count_for_the_objectives_that_are_about_them() -> None:
    per_model = Objective(
        name="each", kind="availability", target=0.9, per=("model", "tenant"), where={"model": "gpt-*"}
    )
    tally = ObjectiveTally([AVAILABLE, per_model])
    for model, tenant, status in (("gpt-4", "a", 200), ("gpt-4", "a", 500), ("gpt-5", "b", 200), ("llama", "a", 200)):
        tally.observe(a_record(model=model, tenant=tenant, status=status))
    tally.observe(a_record(model="gpt-4", tenant="llmops", status=500))  # a probe
    assert counted(tally) == {
        "up|||||good": 3,
        "up|||||bad": 1,
        "each|gpt-4|||a|good": 1,
        "each|gpt-4|||a|bad": 1,
        "each|gpt-5|||b|good": 1,
        "each|gpt-5|||b|bad": 0,
    }


def test_cost_adds_up_and_needs_no_target() -> None:
    tally = ObjectiveTally([Objective(name="spend", kind="cost", limit=300.0, window_s=100.0)])
    for nanousd in (500_000_000, None, 250_000_000):
        tally.observe(a_record(cost_nanousd=nanousd))
    tally.observe(a_record(cost_nanousd=250_000_000, status=500))
    assert counted(tally, "llmops_slo_cost_usd_total") == {"spend||||": 1.0}
    assert counted(tally, "llmops_slo_budget_usd_per_second") == {"spend": 3.0}
    assert counted(tally, "llmops_slo_target_ratio") == {}
    assert counted(tally, "llmops_slo_minimum_bad_events") == {"spend": 0}
    assert counted(tally)["spend|||||good"] == 3


def test_scores_count_for_objectives_of_their_name() -> None:
    tally = ObjectiveTally([Objective(name="true", kind="quality", target=0.9, score="truth", limit=0.7), AVAILABLE])
    for name, value in (("truth", 0.7), ("truth", 0.69), ("style", 0.1)):
        tally.score(name, value, tenant="t")
    assert counted(tally) == {"true|||||good": 1, "true|||||bad": 1, "up|||||good": 0, "up|||||bad": 0}


def test_groups_are_bounded() -> None:
    tally = ObjectiveTally([Objective(name="each", kind="availability", target=0.9, per=("tenant",))])
    for number in range(MAX_GROUPS + 50):
        tally.observe(a_record(tenant=f"t-{number}"))
    found = counted(tally)
    assert len(found) == 2 * (MAX_GROUPS + 1)
    assert found["each||||other|good"] == 50


def test_a_reload_keeps_what_was_counted_under_a_name_that_stays() -> None:
    tally = ObjectiveTally([AVAILABLE, Objective(name="gone", kind="availability", target=0.9)])
    tally.observe(a_record())
    tally.set_out([msgspec.structs.replace(AVAILABLE, target=0.5)])
    tally.observe(a_record())
    assert counted(tally) == {"up|||||good": 2, "up|||||bad": 0}
    assert counted(tally, "llmops_slo_target_ratio") == {"up": 0.5}
