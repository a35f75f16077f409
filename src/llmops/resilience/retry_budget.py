"""A model's retry budget: how many attempts beyond the first of each call its upstreams are burdened with.

Two rules, and a retry needs both. **Credits** (Finagle): each call brings a share of one, each second brings a few;
taking one uses it up, and after 10 s what was not used is gone. **Stamina** (gRPC's retry throttle): each failed
attempt takes one, each success gives a quarter back, and below half there are no retries. A quarter is even at one
failed attempt in five, which is just what the credits can pay for.

What is bounded, exactly: whenever a credit is taken, those of the last 10 s are ≤ 0.2 of the calls of the last 10 s +
30; so over any T seconds retries ≤ 0.2 calls + 3 T + 33. At total failure stamina ends them sooner: each retry follows
a failed attempt of its own, and after ``stamina``/2 of those (50) there is none until calls succeed again. So attempts
≤ calls + 49, which is below 1.2 of them from the 245th call on, whatever their rate, and tends to one attempt a call.
Calls under way at the same time are within these bounds, since a credit is taken before the attempt. Not bounded here:
what `director` lets go without one.
"""

from .rules import RetryRules

TTL_S = 10.0
_BUCKETS = 10
_BUCKET_S = TTL_S / _BUCKETS
_GIVEN_BACK = 0.25


class RetryBudget:
    """Belongs to one model in one process. Constant time, no allocation."""

    __slots__ = ("_balance", "_balances", "_end_s", "_floor", "_number", "_share", "_stamina", "_stamina_max")

    def __init__(self, rules: RetryRules, now_s: float) -> None:
        self._share = rules.budget_share
        self._floor = rules.budget_per_second * TTL_S
        self._stamina = self._stamina_max = float(rules.stamina)
        self._balances = [0.0] * _BUCKETS
        self._number = 0
        self._balance = 0.0
        self._end_s = now_s + _BUCKET_S

    def call(self, now_s: float) -> None:
        """A call has come."""
        if now_s >= self._end_s:
            self._turn(now_s)
        self._balance += self._share

    def succeed(self) -> None:
        """An attempt has succeeded."""
        if self._stamina < self._stamina_max:
            self._stamina = min(self._stamina + _GIVEN_BACK, self._stamina_max)

    def fail(self) -> None:
        """An attempt has failed in a way that another attempt might mend."""
        self._stamina = max(self._stamina - 1.0, 0.0)

    def has_credit(self, now_s: float) -> bool:
        return self._stamina > self._stamina_max / 2 and self.credits(now_s) >= 1.0

    def take(self, now_s: float) -> bool:
        """Use a credit up; False where there is none."""
        if not self.has_credit(now_s):
            return False
        self._balance -= 1.0
        return True

    def credits(self, now_s: float) -> float:
        """What calls and seconds have brought, less what was taken; stamina aside."""
        if now_s >= self._end_s:
            self._turn(now_s)
        return self._floor + sum(self._balances) + self._balance  # the current bucket's place in the list is empty

    def left(self, now_s: float) -> float:
        """``credits`` without touching anything, for other threads."""
        late = int((now_s - self._end_s) / _BUCKET_S) + 1 if now_s >= self._end_s else 0
        balances = list(self._balances)
        balances[self._number] = self._balance
        for step in range(min(late, _BUCKETS)):
            balances[(self._number + step + 1) % _BUCKETS] = 0.0
        return self._floor + sum(balances)

    def _turn(self, now_s: float) -> None:
        """Put the current bucket away and begin another; buckets that were slept through are empty."""
        balances = self._balances
        balances[self._number] = self._balance
        passed = int((now_s - self._end_s) / _BUCKET_S) + 1
        for _ in range(min(passed, _BUCKETS)):
            self._number = (self._number + 1) % _BUCKETS
            balances[self._number] = 0.0
        self._balance = 0.0
        self._end_s += passed * _BUCKET_S
        if self._end_s <= now_s:  # rounding
            self._end_s = now_s + _BUCKET_S
