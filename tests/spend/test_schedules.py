"""Random schedules of calls, ends, time, reloads and crashes, against a plain reference (`reference`).

After every step: the same calls are let in, the counters say the same, and what is charged is what was used, to the
nano-dollar. At the end no hold is left. ``pytest -m soak tests/spend/test_schedules.py`` runs ten thousand.
"""

import os
import shutil
import tempfile
from fractions import Fraction
from pathlib import Path
from typing import Any

import hypothesis.strategies as st
import pytest
from hypothesis import HealthCheck, settings
from hypothesis.stateful import (
    RuleBasedStateMachine,
    initialize,
    invariant,
    precondition,
    rule,
    run_state_machine_as_test,
)

from llmops.clock import ManualClock
from llmops.errors import (
    BudgetExceeded,
    ClientDisconnected,
    LimitReached,
    UpstreamRejected,
    UpstreamTimeout,
    UpstreamUnreachable,
)
from llmops.spend.recovery import recover
from llmops.store.counters.counters import Hold
from llmops.store.counters.meter import Concurrency, Meter, Rate
from llmops.types import Call
from tests.spend.deployments import deployment
from tests.spend.reference import DAY_S, Bound, Reference, Taken, price
from tests.spend.till import UNPRICED, Till, a_call, answer, log_file, logged, rules, uncounted

START_S = 1_699_920_000 + DAY_S // 2  # noon in the middle of a month
ODD = deployment("odd", provider="mock", price={"input": "0.0375", "output": "1.00005"})
PRICES = {"odd": (Fraction(75, 2), Fraction(100_005, 100))}
"""Nano-dollars per token that are no whole numbers."""
DEPLOYMENTS = {"odd": ODD, "nobody-knows": UNPRICED}

#: By name: the setting, whose count it is, and what the reference makes of it.
LIMITS: dict[str, tuple[dict[str, Any], str, list[Bound]]] = {
    "rate": (
        {"requests_per_second": 2, "per": "tenant"},
        "tenant",
        [Bound("rate", "rate", "requests", 2, Fraction(2))],
    ),
    "slow": (
        {"requests_per_second": 0.125, "burst": 3, "per": "user"},
        "user",
        [Bound("slow", "rate", "requests", 3, Fraction(1, 8))],
    ),
    "tpm": (
        {"tokens_per_minute": 900, "concurrent_calls": 3},
        "all",
        [Bound("tpm", "rate", "tokens", 900, Fraction(15)), Bound("tpm", "concurrent", "", 3)],
    ),
    "daily": ({"tokens_per_day": 2000, "per": "tag:t"}, "tag", [Bound("daily", "quota", "tokens", 2000, daily=True)]),
    "two": ({"concurrent_calls": 2, "per": ["tenant", "model"]}, "tenant+model", [Bound("two", "concurrent", "", 2)]),
    "shadow": (
        {"tokens_per_minute": 300, "concurrent_calls": 1, "per": "user", "shadow": True},
        "user",
        [
            Bound("shadow", "rate", "tokens", 300, Fraction(5), refuses=False),
            Bound("shadow", "concurrent", "", 1, refuses=False),
        ],
    ),
}
BUDGETS: dict[str, tuple[dict[str, Any], str, list[Bound]]] = {
    "money": ({"usd": "0.000400000", "window": "total"}, "all", [Bound("money", "quota", "money", 400_000)]),
    "soft": (
        {"usd": "0.000050000", "window": "day", "hard": False, "per": "user"},
        "user",
        [Bound("soft", "quota", "money", 50_000, daily=True, refuses=False)],
    ),
}
RULES = {**LIMITS, **BUDGETS}
CALLS = st.tuples(
    st.sampled_from(["acme", "other"]),
    st.sampled_from([None, "ann", "bob"]),
    st.sampled_from([None, "x"]),
    st.sampled_from(sorted(DEPLOYMENTS)),
    st.integers(0, 1200),
    st.one_of(st.none(), st.integers(0, 100)),
)
"""Tenant, user, tag, model, bytes of the body, the most it may answer."""
ENDS = st.tuples(
    st.sampled_from(["answered", "cut", "absurd", "timeout", "left", "unreachable", "rejected", "cached"]),
    st.integers(0, 400),
    st.integers(0, 400),
)
"""How a call ends, and the numbers that are reported or seen of it."""


def whose(call: Call, dimension: str) -> str | None:
    """Which count of a rule a call belongs to."""
    match dimension:
        case "all":
            return ""
        case "tenant":
            return call.tenant
        case "tenant+model":
            return f"{call.tenant} {call.model}"
        case "user":
            return f"{call.tenant} {call.view.user}" if call.view.user is not None else None
        case _:
            return f"{call.tenant} {call.tags['t']}" if "t" in call.tags else None


class Spending(RuleBasedStateMachine):
    def __init__(self) -> None:
        super().__init__()
        self.folder = Path(tempfile.mkdtemp(prefix="spending-"))
        self.clock = ManualClock(float(START_S))
        self.in_force: list[str] = []
        self.number = self.lived = 0
        self.till = self.open_till()
        self.reference = Reference()
        self.open: list[tuple[Call, Taken]] = []
        self.seen: dict[tuple[Any, ...], Call] = {}
        """One call of each kind of caller."""
        self.charges: dict[str, int | None] = {}
        """What each call that was let in is to be charged, by request id."""
        self.unsettled: dict[str, int | None] = {}
        """What calls under way are charged if the process dies now."""

    def teardown(self) -> None:
        try:
            while self.open:
                self.end_one(0, ("timeout", 0, 0))
            for call in self.seen.values():
                self.counters_agree(call)
            assert not any(self.reference.calls.values()) and self.till.ledger.open == 0, "a hold has leaked"
            self.till.log.write()
            self.log_agrees()
            self.till.log.file.close()
            self.till.ledger.close()
            assert list((self.folder / "journal").glob("*.jsonl")) == []
        finally:
            shutil.rmtree(self.folder)

    def open_till(self) -> Till:
        return Till(self.folder, self.present_rules(), clock=self.clock, room_bytes=2048)

    def present_rules(self) -> list[Any]:
        return rules(
            *({"name": name, **LIMITS[name][0]} for name in self.in_force if name in LIMITS),
            budgets=[{"name": name, **BUDGETS[name][0]} for name in self.in_force if name in BUDGETS],
        )

    @property
    def now(self) -> Fraction:
        return Fraction(self.clock.monotonic_s())

    @property
    def day(self) -> int:
        return int(self.clock.now_s()) // DAY_S

    # --- what happens ---

    @initialize(names=st.sets(st.sampled_from(sorted(RULES)), min_size=1))
    def begin(self, names: set[str]) -> None:
        self.in_force = sorted(names)
        self.till.rules.replace(self.present_rules())

    @rule(calls=st.lists(CALLS, min_size=1, max_size=6))
    def come(self, calls: list[tuple[str, str | None, str | None, str, int, int | None]]) -> None:
        for each in calls:
            self.call(*each)

    def call(
        self, tenant: str, user: str | None, tag: str | None, model: str, size: int, max_tokens: int | None
    ) -> None:
        self.number += 1
        call = a_call(
            self.number,
            tenant=tenant,
            user=user,
            tags={"t": tag} if tag else {},
            model=model,
            asks_for=model,
            body=b"x" * size,
            max_tokens=max_tokens,
        )
        self.seen[tenant, user, tag, model] = call
        prompt = -(-size // 4)
        usual = self.till.lengths.estimate(model)  # tested on its own
        completion = usual if max_tokens is None else min(max_tokens, usual)
        money = price(prompt, completion, PRICES[model]) if model in PRICES else None
        amounts = {"requests": 1, "tokens": prompt + completion, "money": money or 0}
        bounds = []
        for name in [*(n for n in self.in_force if n in LIMITS), *(n for n in self.in_force if n in BUDGETS)]:
            _, dimension, found = RULES[name]
            mine = whose(call, dimension)
            bounds += [(bound, mine) for bound in found if mine is not None]
        taken = self.reference.admit(bounds, amounts, self.now, self.day)
        if taken is None:
            with pytest.raises((LimitReached, BudgetExceeded)):
                self.till.admit(call, [DEPLOYMENTS[model]])
            return
        self.till.admit(call, [DEPLOYMENTS[model]])
        self.open.append((call, taken))
        if prompt + completion:
            self.unsettled[call.request_id] = money

    @precondition(lambda self: bool(self.open))
    @rule(ends=st.lists(st.tuples(st.integers(0, 10), ENDS), min_size=1, max_size=5))
    def leave(self, ends: list[tuple[int, tuple[str, int, int]]]) -> None:
        for index, how in ends[: len(self.open)]:
            self.end_one(index, how)

    def end_one(self, index: int, how: tuple[str, int, int]) -> None:
        call, taken = self.open.pop(index % len(self.open))
        kind, prompt, completion = how
        estimated = -(-len(call.body) // 4)
        tokens = (0, 0)
        match kind:
            case "answered":
                ended = self.till.end(call, reply=answer(prompt, completion))
                tokens = (prompt, completion)
            case "cut":
                ended = self.till.end(call, reply=uncounted(completion), error=ClientDisconnected("left"))
                tokens = (estimated, -(-completion // 4))
            case "absurd":
                ended = self.till.end(call, reply=answer(-1 - prompt, completion))
                tokens = (estimated, 0)
            case "timeout" | "left":
                error = UpstreamTimeout("late") if kind == "timeout" else ClientDisconnected("left")
                ended = self.till.end(call, error=error)
                tokens = (estimated, taken.amounts["tokens"] - estimated)
            case "unreachable":
                ended = self.till.end(call, error=UpstreamUnreachable("nobody"))
            case "rejected":
                ended = self.till.end(call, error=UpstreamRejected("no", upstream_status=400))
            case _:
                ended = self.till.end(call, reply=answer(prompt, completion, cached=True))
        free = kind in ("unreachable", "rejected", "cached") or (kind in ("timeout", "left") and not sum(tokens))
        cost = 0 if free else price(*tokens, PRICES[call.model or ""]) if call.model in PRICES else None
        self.reference.settle(taken, {"tokens": sum(tokens), "money": cost or 0}, self.now)
        self.charges[call.request_id] = cost
        self.unsettled.pop(call.request_id, None)
        assert ended.charge is not None
        assert (ended.charge.cost_nanousd, ended.charge.usage.total) == (cost, sum(tokens))
        assert set(ended.charge.over) == taken.over
        self.counters_agree(call)

    @rule(steps=st.one_of(st.integers(1, 64), st.integers(64, 6400), st.just(32 * DAY_S)))
    def pass_time(self, steps: int) -> None:
        self.clock.advance(steps / 64)  # which a binary fraction holds exactly

    @rule(names=st.sets(st.sampled_from(sorted(RULES))))
    def reload(self, names: set[str]) -> None:
        """Calls under way keep what they hold of rules that are gone; counts go on when those come back."""
        self.in_force = sorted(names)
        self.till.rules.replace(self.present_rules())

    @rule(count=st.one_of(st.none(), st.integers(0, 3)))
    def write_the_log(self, count: int | None) -> None:
        self.till.log.write(count)
        self.till.ledger.tidy()
        self.till.counters.sweep()

    @precondition(lambda self: len(self.charges) + len(self.open) >= self.lived + 5)
    @rule(twice=st.booleans())
    def crash(self, twice: bool) -> None:
        self.till.die()
        self.charges |= self.unsettled  # by rule: nobody saw their end
        self.open, self.unsettled = [], {}
        self.till, self.lived = self.open_till(), len(self.charges)
        self.reference = Reference()
        for _ in range(1 + twice):
            recover(self.folder / "journal", self.till.log.file, self.clock.now_s())
        self.log_agrees()

    # --- what holds ---

    @invariant()
    def the_counters_say_what_the_reference_says(self) -> None:
        for call, _ in self.open[-2:]:
            self.counters_agree(call)
        assert self.till.ledger.open == len(self.open)

    def counters_agree(self, call: Call) -> None:
        """In every count that a call belongs to."""
        for meter in self.till.rules.meters(call):
            _, dimension, bounds = RULES[meter.rule]
            mine = whose(call, dimension)
            assert mine is not None
            kind = type(meter).__name__.lower().replace("concurrency", "concurrent")
            (bound,) = [bound for bound in bounds if bound.kind == kind]
            assert self.reading(meter) == self.reference.reading(bound, mine, self.now, self.day), meter

    def reading(self, meter: Meter) -> Fraction:
        """What counters say of a meter to somebody who takes nothing, or puts it back at once."""
        verdict = self.till.counters.reserve("probe", [meter], (0, 0, 0))
        if isinstance(verdict, Hold):
            self.till.counters.settle(verdict, 0, 0)
            reading = verdict.readings[0] - isinstance(meter, Concurrency)
        else:
            reading = verdict.reading
        return Fraction(reading, meter.period_us if isinstance(meter, Rate) else 1)

    def log_agrees(self) -> None:
        """What is charged in the log is what was used: each call once, each amount to the nano-dollar."""
        lines = logged(self.folder)
        charged = {line["request_id"]: line["cost_nanousd"] for line in lines}
        assert len(charged) == len(lines), "a call is there twice"
        expected = {name: cost for name, cost in self.charges.items() if name in charged or cost != 0}
        assert charged == expected
        assert sum(cost or 0 for cost in charged.values()) == sum(cost or 0 for cost in self.charges.values())


@pytest.mark.timeout(120)
def test_any_schedule_spends_what_the_reference_spends() -> None:
    run(300)


@pytest.mark.soak
@pytest.mark.timeout(7200)
def test_ten_thousand_schedules() -> None:
    run(int(os.environ.get("SPEND_SCHEDULES", "10000")))


def run(schedules: int) -> None:
    run_state_machine_as_test(
        Spending,
        settings=settings(
            max_examples=schedules,
            stateful_step_count=30,
            deadline=None,
            suppress_health_check=[HealthCheck.too_slow, HealthCheck.filter_too_much],
        ),
    )


def test_the_log_file_is_where_the_reference_looks(tmp_path: Path) -> None:
    log_file(tmp_path).append(b'{"request_id":"x"}\n', 0.0)
    assert logged(tmp_path) == [{"request_id": "x"}]
