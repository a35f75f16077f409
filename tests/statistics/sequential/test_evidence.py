"""A canary's guards: they roll back, promote, hold, refuse broken data, and survive a restart."""

import math
import random
import time

import msgspec
import pytest

from llmops.statistics.sequential.eprocess import ShareProcess
from llmops.statistics.sequential.evidence import AmountGuard, EventGuard, Guard, RatioGuard, ScoreGuard
from llmops.statistics.verdict import Finding, Verdict


def errors(margin: float = 0.03) -> EventGuard:
    return EventGuard(margin=margin, share=ShareProcess(rho=0.5))


def fed(guard: EventGuard, stable: float, canary: float, n: int, seed: int = 0) -> EventGuard:
    rng = random.Random(seed)
    for _ in range(n):
        in_canary = rng.random() < 0.5
        guard.observe(in_canary, rng.random() < (canary if in_canary else stable))
    return guard


def test_errors_roll_back_promote_or_hold() -> None:
    assert fed(errors(), 0.02, 0.10, 2_000).finding().verdict is Verdict.BLOCK
    promoted = fed(errors(), 0.02, 0.02, 6_000).finding()
    assert promoted.verdict is Verdict.PASS
    assert promoted.lower is not None and promoted.upper is not None and promoted.lower < 0 < promoted.upper
    assert fed(errors(), 0.02, 0.02, 100).finding().verdict is Verdict.INCONCLUSIVE, "no evidence is no promotion"
    patient = fed(EventGuard(margin=0.03, least_canary=5_000, share=ShareProcess(rho=0.5)), 0.02, 0.02, 6_000)
    assert patient.finding().verdict is Verdict.INCONCLUSIVE, "not before its minimum exposure"


def test_a_silent_canary_is_not_promoted_at_once() -> None:
    """A hundred units without any error prove no margin of one point."""
    guard = errors(margin=0.01)
    for index in range(200):
        guard.observe(index % 2 == 0, False)
    assert guard.finding().verdict is Verdict.INCONCLUSIVE


@pytest.mark.parametrize("direction", ["higher", "lower"])
def test_scores(direction: str) -> None:
    def verdict(canary_mean: float, n: int) -> Verdict:
        guard = ScoreGuard(margin=0.1, direction=direction)  # type: ignore[arg-type]
        rng = random.Random(1)
        for _ in range(n):
            in_canary = rng.random() < 0.3
            score = min(1.0, max(0.0, rng.gauss(canary_mean if in_canary else 0.5, 0.15)))
            guard.observe(in_canary, score)
        return guard.finding().verdict

    worse = 0.3 if direction == "higher" else 0.7
    assert verdict(worse, 1_500) is Verdict.BLOCK
    assert verdict(0.5, 3_000) is Verdict.PASS
    assert verdict(0.5, 20) is Verdict.INCONCLUSIVE


def amounts(factor: float, n: int) -> Finding:
    guard, rng = AmountGuard(margin=0.15, cap=20.0), random.Random(2)
    for _ in range(n):
        in_canary, size = rng.random() < 0.4, rng.lognormvariate(0, 0.3)
        guard.observe(in_canary, size * (factor if in_canary else 1) * rng.lognormvariate(0, 0.2), size)
    return guard.finding()


def test_amounts_are_shares_of_the_stable_mean() -> None:
    dearer, same = amounts(1.5, 2_000), amounts(1.0, 4_000)
    assert (dearer.verdict, same.verdict) == (Verdict.BLOCK, Verdict.PASS)
    assert dearer.estimate == pytest.approx(-0.5, abs=0.05)
    assert amounts(1.0, 150).verdict is Verdict.INCONCLUSIVE
    assert amounts(1.0, 150).estimate is None, "below a hundred units an asymptotic statement is none"


def test_one_bill_is_winsorised() -> None:
    guard = AmountGuard(margin=0.1, cap=5.0)
    guard.observe(True, 1e12)
    guard.observe(False, 1.0)
    assert guard.canary_total == 5.0


def test_a_ratio_that_is_off_is_an_error() -> None:
    rng = random.Random(3)
    good, broken = (RatioGuard(share=ShareProcess(rho=0.1)) for _ in range(2))
    for _ in range(8_000):
        good.observe(rng.random() < 0.1)
        broken.observe(rng.random() < 0.13)
    assert good.finding().verdict is Verdict.PASS
    assert broken.finding().verdict is Verdict.ERROR
    assert "0.1288, against" in broken.finding().reason


def test_scores_that_are_none_are_an_error_never_a_pass() -> None:
    guard = ScoreGuard(margin=0.1)
    for index in range(3_000):
        guard.observe(index % 3 == 0, math.nan if index % 20 == 0 else 0.5)
    assert guard.finding().verdict is Verdict.ERROR
    assert guard.invalid == 150
    outside = ScoreGuard(margin=0.1)
    outside.observe(True, 7.0)
    assert outside.finding().verdict is Verdict.ERROR
    cost = AmountGuard(margin=0.1, cap=5.0)
    cost.observe(True, math.nan)
    assert cost.invalid == 1


def test_a_restart_in_the_middle_changes_nothing() -> None:
    """Kept as JSON and decoded by their tag, guards carry on at the same numbers."""
    rng = random.Random(4)
    made: list[Guard] = [
        errors(),
        ScoreGuard(margin=0.1),
        AmountGuard(margin=0.1, cap=5.0),
        RatioGuard(share=ShareProcess(rho=0.5)),
    ]
    for guard in made:
        going: Guard = guard
        for step in range(400):
            in_canary, value = rng.random() < 0.5, rng.random()
            if step == 200:
                going = msgspec.json.decode(msgspec.json.encode(guard), type=Guard)
                assert going == guard
            for one in (guard, going) if going is not guard else (guard,):
                if isinstance(one, EventGuard):
                    one.observe(in_canary, value < 0.1)
                elif isinstance(one, RatioGuard):
                    one.observe(in_canary)
                else:
                    one.observe(in_canary, value)
        assert going is not guard and going == guard and going.finding() == guard.finding()
        assert msgspec.json.decode(msgspec.json.encode(guard.finding()), type=Finding) == guard.finding()


def test_false_decisions_while_watched_after_every_block() -> None:
    """Healthy canaries are seldom rolled back, and ones that are worse by the margin seldom promoted."""
    stopped = promoted = 0
    repetitions = 60
    for seed in range(repetitions):
        rng = random.Random(seed)
        healthy, worse = (ScoreGuard(margin=0.1) for _ in range(2))
        seen: set[tuple[str, Verdict]] = set()
        for step in range(800):
            in_canary, luck = rng.random() < 0.3, rng.random()
            healthy.observe(in_canary, float(luck < 0.7))
            worse.observe(in_canary, float(luck < (0.6 if in_canary else 0.7)))
            if step % 10 == 0:
                seen |= {("healthy", healthy.finding().verdict), ("worse", worse.finding().verdict)}
        stopped += ("healthy", Verdict.BLOCK) in seen
        promoted += ("worse", Verdict.PASS) in seen
    assert stopped / repetitions <= 0.08
    assert promoted / repetitions <= 0.08


def test_an_observation_costs_less_than_two_microseconds() -> None:
    guard, rng = errors(), random.Random(5)
    observations = [(rng.random() < 0.1, rng.random() < 0.02) for _ in range(20_000)]
    begun = time.process_time()
    for in_canary, bad in observations:
        guard.observe(in_canary, bad)
    assert (time.process_time() - begun) / len(observations) < 8e-6, "four times the bar, for busy machines"


@pytest.mark.parametrize(
    ("wrong", "said"), [({"margin": 0.0}, "margin"), ({"margin": 1.5}, "below the range"), ({"alpha": 1.0}, "alpha")]
)
def test_a_guard_is_checked(wrong: dict, said: str) -> None:
    with pytest.raises(ValueError, match=said):
        ScoreGuard(**{"margin": 0.1, **wrong})
