"""Counters against a plain, slow model in exact fractions: whatever the order of calls, the same pass, the same is
refused, and what is counted is the sum of what was used. In-process and in Redis; ``make soak`` runs 10,000 schedules.
"""

import asyncio
import time
from fractions import Fraction
from typing import Any

import pytest
from hypothesis import HealthCheck, settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, invariant, precondition, rule, run_state_machine_as_test

from llmops.store.counters.counters import Hold, Refused
from llmops.store.counters.local import LocalCounters
from llmops.store.counters.meter import Concurrency, Meter, Quota, Rate
from llmops.store.counters.window import WINDOWS, starts_of

from ..store.redis_server import RedisServer
from .counting import NANOUSD, REQUESTS, TOKENS, Counting, concurrency, quota, rate, redis_counters

BEGUN_S = int(time.time())
TICK = Fraction(1, 64)
"""Binary fractions of a second hold it exactly, and whole microseconds too."""
METERS: tuple[Meter, ...] = (
    rate(3, burst=4, name="r0"),
    rate(7, period_us=60_000_000, burst=2, name="r1"),
    rate(11, burst=25, unit=TOKENS, name="r2"),
    rate(50, period_us=60_000_000, unit=TOKENS, name="r3", shadow=True),
    quota(60, name="q0"),
    quota(90, name="q1", window="month"),
    quota(10**15, name="q2", window="total", unit=NANOUSD),
    quota(40, name="q3", window="week", hard=False),
    quota(3, name="q4", unit=REQUESTS, shadow=True),
    concurrency(3, name="c0"),
    concurrency(1, name="c1", shadow=True),
)
QUOTAS = [meter for meter in METERS if isinstance(meter, Quota)]


class Exact:
    """All that ever happened, kept as lists and added up anew for each question."""

    def __init__(self) -> None:
        self.rates: dict[str, list[tuple[Fraction, Fraction]]] = {}
        self.quotas: dict[tuple[str, int], list[int]] = {}
        self.open: dict[str, set[str]] = {}

    def debt(self, meter: Rate, now_s: Fraction) -> Fraction:
        """In units of the meter."""
        debt, at_s = Fraction(0), Fraction(0)
        for when_s, change in [*self.rates.get(meter.name, []), (now_s, Fraction(0))]:
            drained = (when_s - at_s) * meter.count * 1_000_000 / meter.period_us
            debt, at_s = max(Fraction(0), max(Fraction(0), debt - drained) + change), when_s
        return debt

    def use(self, name: str, start: int) -> int:
        total = 0
        for change in self.quotas.get((name, start), []):
            total = max(0, total + change)
        return total


class Model(RuleBasedStateMachine):
    """In-process counters; `InRedis` exchanges them."""

    def __init__(self) -> None:
        super().__init__()
        self.passed_s = Fraction(0)
        self.exact = Exact()
        self.held: list[Hold] = []
        self.admitted: dict[str, list[Fraction]] = {}
        self.runner = asyncio.Runner()
        self.counting = Counting(self.counters(), None)  # type: ignore[arg-type]

    def counters(self) -> Any:
        return LocalCounters(lambda: float(BEGUN_S + self.passed_s), lambda: float(self.passed_s))

    def starts(self) -> dict[str, int]:
        return dict(zip(WINDOWS, starts_of(float(BEGUN_S + self.passed_s)), strict=True))

    @rule(ticks=st.integers(1, 200) | st.sampled_from([64 * 3600, 64 * 86_400, 64 * 86_400 * 31]))
    def time_passes(self, ticks: int) -> None:
        self.passed_s += ticks * TICK

    @rule(
        chosen=st.lists(st.sampled_from(METERS), min_size=1, max_size=5, unique_by=lambda meter: meter.name),
        tokens=st.integers(0, 30),
        nanousd=st.integers(0, 10**15),
    )
    def take(self, chosen: list[Meter], tokens: int, nanousd: int) -> None:
        amounts, starts = (1, tokens, nanousd), self.starts()
        readings, over, refused = [], [], None
        for index, meter in enumerate(chosen):
            if isinstance(meter, Rate):
                before: Any = self.exact.debt(meter, self.passed_s)
                after, bound = before + amounts[meter.unit], meter.burst
                scale = meter.period_us
            elif isinstance(meter, Quota):
                before = self.exact.use(meter.name, starts[meter.window])
                after, bound, scale = before + amounts[meter.unit], meter.limit, 1
            else:
                before = len(self.exact.open.get(meter.name, ()))
                after, bound, scale = before + 1, meter.limit, 1
            if after > bound:
                if not meter.shadow and getattr(meter, "hard", True):
                    refused = meter, before * scale
                    break
                over.append(index)
                after = before if isinstance(meter, Rate) else after
            readings.append(after * scale)
        outcome = self.runner.run(self.counting.take(*chosen, tokens=tokens, nanousd=nanousd))
        if refused is not None:
            assert isinstance(outcome, Refused), f"over-admission: {refused[0].name} had too little left"
            assert (outcome.meter, outcome.reading) == refused
            return
        assert isinstance(outcome, Hold), outcome
        assert (list(outcome.readings), list(outcome.over)) == (readings, over)
        self.held.append(outcome)
        for index, meter in enumerate(chosen):
            if isinstance(meter, Rate):
                if index not in over:
                    entry = (self.passed_s, Fraction(amounts[meter.unit]))
                    self.exact.rates.setdefault(meter.name, []).append(entry)
                    self.admitted.setdefault(meter.name, []).extend([self.passed_s] * (meter.unit is REQUESTS))
            elif isinstance(meter, Quota):
                self.exact.quotas.setdefault((meter.name, starts[meter.window]), []).append(amounts[meter.unit])
            else:
                self.exact.open.setdefault(meter.name, set()).add(outcome.request_id)

    @precondition(lambda self: self.held)
    @rule(which=st.integers(0, 10**6), tokens=st.integers(0, 60), nanousd=st.integers(0, 2 * 10**15))
    def settle(self, which: int, tokens: int, nanousd: int) -> None:
        hold = self.held.pop(which % len(self.held))
        used = (0, tokens, nanousd)
        windows = dict(zip(WINDOWS, hold.windows, strict=True))
        for index, meter in enumerate(hold.meters):
            if isinstance(meter, Concurrency):
                self.exact.open[meter.name].discard(hold.request_id)
                continue
            change = used[meter.unit] - hold.amounts[meter.unit]
            if meter.unit is REQUESTS:
                continue
            if isinstance(meter, Rate) and index not in hold.over:
                self.exact.rates[meter.name].append((self.passed_s, Fraction(change)))
            elif isinstance(meter, Quota):
                self.exact.quotas[meter.name, windows[meter.window]].append(change)
        self.runner.run(self.counting.settle(hold, tokens, nanousd))

    @rule(uses=st.lists(st.integers(0, 70), min_size=len(QUOTAS), max_size=len(QUOTAS)))
    def raise_to(self, uses: list[int]) -> None:
        starts = self.starts()
        for meter, use in zip(QUOTAS, uses, strict=True):
            key = (meter.name, starts[meter.window])
            missing = use - self.exact.use(*key)
            if missing > 0:
                self.exact.quotas.setdefault(key, []).append(missing)
        wanted = {meter.name: use for meter, use in zip(QUOTAS, uses, strict=True)}
        self.runner.run(self.counting.raise_to(wanted, QUOTAS))

    @invariant()
    def what_is_counted_is_the_sum_of_what_was_used(self) -> None:
        starts = self.starts()
        expected = [self.exact.use(meter.name, starts[meter.window]) for meter in QUOTAS]
        assert self.runner.run(self.counting.used(*QUOTAS)) == expected

    def teardown(self) -> None:
        """No interval saw more calls than a burst and what the rate allows in its length."""
        for meter in METERS:
            moments = self.admitted.get(meter.name, [])
            for first, begun_s in enumerate(moments):
                for last in range(first, len(moments)):
                    allowed = meter.burst + (moments[last] - begun_s) * meter.count * 1_000_000 / meter.period_us  # type: ignore[union-attr]
                    assert last - first + 1 <= allowed
        self.runner.close()


class InRedis(Model):
    def __init__(self, server: RedisServer) -> None:
        self.server = server
        super().__init__()
        self.runner.run(self.counting.counters.start())  # type: ignore[union-attr]

    def counters(self) -> Any:
        return redis_counters(
            self.server, lease_s=10**9, simulated_us=lambda: BEGUN_S * 1_000_000 + int(self.passed_s * 1_000_000)
        )

    def teardown(self) -> None:
        assert self.counting.counters.lost_times == 0  # type: ignore[union-attr]
        self.runner.run(self.counting.counters.aclose())  # type: ignore[union-attr]
        super().teardown()


def examples(count: int, steps: int) -> settings:
    return settings(
        max_examples=count, stateful_step_count=steps, deadline=None, suppress_health_check=list(HealthCheck)
    )


def test_in_process() -> None:
    run_state_machine_as_test(Model, settings=examples(150, 30))


def test_in_redis(redis_always: RedisServer) -> None:
    run_state_machine_as_test(lambda: InRedis(redis_always), settings=examples(40, 30))


@pytest.mark.soak
@pytest.mark.timeout(3600)
def test_ten_thousand_schedules_in_process() -> None:
    run_state_machine_as_test(Model, settings=examples(10_000, 40))


@pytest.mark.soak
@pytest.mark.timeout(3600)
def test_two_thousand_schedules_in_redis(redis_always: RedisServer) -> None:
    run_state_machine_as_test(lambda: InRedis(redis_always), settings=examples(2_000, 40))
