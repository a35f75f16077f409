"""Evidence: one unit one observation, and what it decides over many seeded rollouts."""

import random
from typing import Any

import msgspec
import pytest

from llmops.rollout.evidence import Evidence, hard_cap, keys_of, no_evidence, seen, take_calls, take_labels
from llmops.rollout.outcome import CallSeen
from llmops.rollout.plan import Plan
from tests.rollout.parts import a_call, a_plan

REQUESTS = a_plan(unit="request", steps=[10, 100])


def fed(plan: Plan, calls: list[CallSeen], firsts: dict[str, int] | None = None) -> Evidence:
    evidence = no_evidence(plan, 0)
    until = calls[-1].started_ms + 1
    take_calls(plan, evidence, calls, firsts or keys_of(plan, calls), until + round(plan.window * 1000))
    return evidence


def traffic(luck: random.Random, n: int, rates: tuple[float, float], share: float = 0.1) -> list[CallSeen]:
    found = []
    for number in range(n):
        candidate = luck.random() < share
        bad = luck.random() < rates[candidate]
        found.append(a_call(number, candidate=candidate, share=share, status=503 if bad else 200))
    return found


def until_decided(plan: Plan, calls: list[CallSeen], every: int) -> tuple[int, str]:
    """After how many calls which verdict: looked at all the time."""
    evidence = no_evidence(plan, 0)
    for begin in range(0, len(calls), every):
        batch = calls[begin : begin + every]
        take_calls(plan, evidence, batch, {}, batch[-1].started_ms + 1)
        found, _ = seen(plan, evidence)
        if found.harmed:
            return begin + len(batch), "back"
        if not found.unproved:
            return begin + len(batch), "up"
    return len(calls), "hold"


def test_a_bad_candidate_is_found_soon_and_a_healthy_one_is_left() -> None:
    luck = random.Random(7)
    plan = a_plan(unit="request", steps=[10, 100], guards=[{"metric": "error", "margin": 0.01, "weight": 19}])
    bad = sorted(until_decided(plan, traffic(luck, 6000, (0.02, 0.06)), 100) for _ in range(31))
    assert bad[15][0] <= 2000 and {each[1] for each in bad} == {"back"}
    healthy = [until_decided(plan, traffic(luck, 6000, (0.02, 0.02)), 500)[1] for _ in range(15)]
    assert healthy.count("back") <= 1


def test_a_candidate_that_is_as_good_is_proved() -> None:
    luck = random.Random(1)
    count, verdict = until_decided(REQUESTS, traffic(luck, 30_000, (0.002, 0.002)), 500)
    assert verdict == "up" and count > 1000


def test_an_uneven_sample_is_found() -> None:
    luck = random.Random(3)
    calls = [a_call(n, candidate=luck.random() < 0.05, share=0.1) for n in range(3000)]
    found, _ = seen(REQUESTS, fed(REQUESTS, calls))
    assert found.split_broken is not None
    even, _ = seen(REQUESTS, fed(REQUESTS, traffic(luck, 3000, (0, 0))))
    assert even.split_broken is None


def test_a_burst_of_errors_in_one_session_is_one_error() -> None:
    plan = a_plan(window="1s")
    calls = [a_call(n, candidate=True, status=503, session="s") for n in range(50)]
    evidence = fed(plan, calls)
    guard = evidence.guards["error"]
    assert (guard.canary_n, evidence.units) == (1, 1)
    later = [a_call(n, candidate=True, status=503, session="s") for n in range(5000, 5010)]
    take_calls(plan, evidence, later, keys_of(plan, calls), 20_000)
    assert guard.canary_n == 1 and not evidence.calls.pending


def test_a_unit_is_counted_when_its_window_is_over() -> None:
    plan = a_plan(window="1s")
    evidence = no_evidence(plan, 0)
    take_calls(plan, evidence, [a_call(10, candidate=True, session="s")], {}, 500)
    assert evidence.units == 0
    evidence = msgspec.json.decode(msgspec.json.encode(evidence), type=Evidence)
    take_calls(plan, evidence, [a_call(600, candidate=True, session="s", status=503)], {}, 1100)
    guard = evidence.guards["error"]
    assert evidence.units == 1 and guard.canary_n == 1 and guard.finding().estimate is None


def test_a_step_more_multiplies_the_evidence() -> None:
    luck = random.Random(5)
    both = traffic(luck, 800, (0.02, 0.2), 0.1)
    more = [
        a_call(each.started_ms + 800, candidate=each.arm == "candidate", share=0.5, status=each.status)
        for each in traffic(luck, 300, (0.02, 0.2), 0.5)
    ]
    apart, together = fed(REQUESTS, both), fed(REQUESTS, [*both, *more])
    assert together.guards["error"].log_e > apart.guards["error"].log_e > 0  # type: ignore[union-attr]
    kept = msgspec.json.decode(msgspec.json.encode(together), type=Evidence)
    assert seen(REQUESTS, kept) == seen(REQUESTS, together)


@pytest.mark.parametrize(
    ("guard", "good", "bad"),
    [
        ({"metric": "bad_json", "margin": 0.05}, {"json_valid": True}, {"json_valid": False}),
        ({"metric": "slow", "margin": 0.05, "threshold_ms": 100}, {"latency_ms": 10.0}, {"latency_ms": 500.0}),
        ({"metric": "guardrail", "margin": 0.05}, {}, {"finish_reason": "content_filter"}),
        ({"metric": "latency", "margin": 0.2}, {"latency_ms": 100.0}, {"latency_ms": 400.0}),
        ({"metric": "cost", "margin": 0.2, "cap_usd": 1}, {"cost_nanousd": 10**6}, {"cost_nanousd": 3 * 10**6}),
    ],
)
def test_each_metric_finds_its_own_harm(guard: dict[str, Any], good: dict[str, Any], bad: dict[str, Any]) -> None:
    plan, luck = a_plan(unit="request", steps=[50, 100], guards=[guard]), random.Random(2)
    arms = [luck.random() < 0.5 for _ in range(2000)]
    jitter = [{name: type(value)(value * (1 + n % 7 / 100)) for name, value in good.items()} for n in range(7)]
    well = [a_call(n, candidate=arm, share=0.5, **jitter[n % 7]) for n, arm in enumerate(arms)]
    ill = [a_call(n, candidate=arm, share=0.5, **(bad if arm else jitter[n % 7])) for n, arm in enumerate(arms)]
    assert seen(plan, fed(plan, ill))[0].harmed
    found, _ = seen(plan, fed(plan, well))
    assert not found.harmed and not found.unproved


def test_low_scores_are_found_and_wait_for_their_time() -> None:
    plan, luck = (
        a_plan(steps=[50, 100], guards=[{"metric": "score", "name": "helpful", "margin": 0.1}]),
        random.Random(4),
    )
    calls = [a_call(n, candidate=luck.random() < 0.5, share=0.5, session=f"s{n}") for n in range(600)]
    evidence = fed(plan, calls)
    assert seen(plan, evidence)[0].unproved == ["score:helpful"]
    labelled = [(call, {"helpful": 0.3 if call.arm == "candidate" else 0.9}) for call in calls]
    take_labels(plan, evidence, labelled, keys_of(plan, calls), 1000)
    assert seen(plan, evidence)[0].harmed


def test_what_the_caller_brought_about_says_nothing() -> None:
    calls = [a_call(n, candidate=True, status=status) for n, status in enumerate((401, 402, 403, 499))]
    calls.append(a_call(9, candidate=True, status=429, error_type="rate_limit_exceeded"))
    assert fed(REQUESTS, calls).guards["error"].canary_n == 0
    upstream = [a_call(9, candidate=True, status=429, error_type="upstream_rate_limited")]
    assert fed(REQUESTS, upstream).guards["error"].canary_n == 1


def test_a_hard_cap_is_of_all_the_candidates_calls() -> None:
    guard = {"metric": "cost", "margin": 0.5, "cap_usd": 1, "hard_cap_usd": 2}
    plan = a_plan(unit="request", guards=[guard])
    calls = [a_call(n, candidate=True, share=1.0, cost_nanousd=10**9) for n in range(2)]
    assert hard_cap(plan, fed(plan, calls[:1])) is None
    assert "$2.00" in (hard_cap(plan, fed(plan, calls)) or "")
