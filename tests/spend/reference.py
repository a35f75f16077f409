"""What limits, budgets and the ledger are to do, written down as plainly as possible: fractions, sums, no cleverness.

Nothing here is shared with the implementation. Time is in seconds as a fraction since the start; a window is a number
of days, and the reference knows no months: schedules stay within one.
"""

from dataclasses import dataclass, field
from fractions import Fraction

DAY_S = 86_400


@dataclass(frozen=True)
class Bound:
    """One bound of one rule. ``kind`` is rate, quota or concurrent; ``unit`` requests, tokens or money."""

    rule: str
    kind: str
    unit: str
    limit: int
    per_s: Fraction = Fraction(0)
    """A rate drains so many a second."""
    daily: bool = False
    refuses: bool = True


@dataclass
class Taken:
    """What one call holds: by bound and whose count it is, the amount and the day."""

    amounts: dict[str, int]
    counts: list[tuple[Bound, str, int]]
    over: set[str]


@dataclass
class Reference:
    """All counts of one process; a crash forgets them."""

    debts: dict[tuple[str, str, str], tuple[Fraction, Fraction]] = field(default_factory=dict)
    """Of rates: how much is owed, and when it was."""
    uses: dict[tuple[str, str, str, int], int] = field(default_factory=dict)
    calls: dict[tuple[str, str], int] = field(default_factory=dict)

    def debt(self, bound: Bound, whose: str, now_s: Fraction) -> Fraction:
        owed, then = self.debts.get((bound.rule, bound.unit, whose), (Fraction(0), now_s))
        return max(Fraction(0), owed - (now_s - then) * bound.per_s)

    def reading(self, bound: Bound, whose: str, now_s: Fraction, day: int) -> Fraction:
        """What is owed, used, or under way."""
        if bound.kind == "concurrent":
            return Fraction(self.calls.get((bound.rule, whose), 0))
        if bound.kind == "quota":
            return Fraction(self.uses.get((bound.rule, bound.unit, whose, day if bound.daily else 0), 0))
        return self.debt(bound, whose, now_s)

    def admit(
        self, bounds: list[tuple[Bound, str]], amounts: dict[str, int], now_s: Fraction, day: int
    ) -> Taken | None:
        """Take from all, or None and take from none."""
        over: set[str] = set()
        shadowed: set[int] = set()
        for place, (bound, whose) in enumerate(bounds):
            if not self.fits(bound, whose, amounts, now_s, day):
                if bound.refuses:
                    return None
                over.add(bound.rule)
                shadowed.add(place)
        counts = []
        for place, (bound, whose) in enumerate(bounds):
            window = day if bound.daily else 0
            if bound.kind == "concurrent":
                self.calls[bound.rule, whose] = self.calls.get((bound.rule, whose), 0) + 1
            elif bound.kind == "quota":
                key = (bound.rule, bound.unit, whose, window)
                self.uses[key] = self.uses.get(key, 0) + amounts[bound.unit]
            elif place not in shadowed:
                owed = self.debt(bound, whose, now_s) + amounts[bound.unit]
                self.debts[bound.rule, bound.unit, whose] = (owed, now_s)
            else:
                continue
            counts.append((bound, whose, window))
        return Taken(amounts, counts, over)

    def fits(self, bound: Bound, whose: str, amounts: dict[str, int], now_s: Fraction, day: int) -> bool:
        amount = 1 if bound.kind == "concurrent" else amounts[bound.unit]
        return self.reading(bound, whose, now_s, day) + amount <= bound.limit

    def settle(self, taken: Taken, used: dict[str, int], now_s: Fraction) -> None:
        for bound, whose, window in taken.counts:
            if bound.kind == "concurrent":
                self.calls[bound.rule, whose] -= 1
                continue
            if bound.unit == "requests":
                continue
            change = used[bound.unit] - taken.amounts[bound.unit]
            if bound.kind == "quota":
                self.uses[bound.rule, bound.unit, whose, window] += change
            elif change:
                owed = max(Fraction(0), self.debt(bound, whose, now_s) + change)
                self.debts[bound.rule, bound.unit, whose] = (owed, now_s)


def price(prompt: int, completion: int, rates: tuple[Fraction, Fraction]) -> int:
    """Nano-dollars, rounded half up, at nano-dollars per token."""
    amount = prompt * rates[0] + completion * rates[1] + Fraction(1, 2)
    return amount.numerator // amount.denominator
