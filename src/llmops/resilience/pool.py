"""Bulkheads: how many calls may be under way at a deployment, and how many of one tenant.

A deployment's pool finds its size by itself (additive increase, multiplicative decrease): until the first 429 or 503
nothing is known and only the maximum bounds it; each of those leaves 0.7 of the places, each round of successes adds
one. A refused call that had begun before the last decrease says nothing new, so there is at most one decrease in a
round trip, without measuring any. The pool grows only while at least half of it is used: places that nobody needed
prove nothing. A tenant's pool is fixed. Nobody waits here: a full pool says no.
"""

from .rules import PoolRules


class AdaptivePool:
    """The places at one deployment, in one process."""

    __slots__ = ("_decrease", "_decreased_s", "_initial", "_maximum", "_minimum", "in_use", "size")

    def __init__(self, rules: PoolRules) -> None:
        self._minimum, self._maximum, self._decrease = float(rules.minimum), float(rules.maximum), rules.decrease
        self._decreased_s = float("-inf")
        self._initial = float(rules.initial)
        self.size = self._maximum
        self.in_use = 0

    @property
    def is_full(self) -> bool:
        return self.in_use + 1 > self.size

    def enter(self) -> bool:
        """Take a place; False where there is none."""
        if self.in_use + 1 > self.size:
            return False
        self.in_use += 1
        return True

    def leave(self) -> None:
        """Give a place back."""
        assert self.in_use > 0, "a place was given back twice"
        self.in_use -= 1

    def succeed(self) -> None:
        """A call that still holds its place was answered."""
        size = self.size
        if self.in_use * 2 >= size and size < self._maximum:
            self.size = min(size + 1.0 / size, self._maximum)

    def refuse(self, began_s: float, now_s: float) -> None:
        """The deployment asked for less, of a call that began at ``began_s``."""
        if began_s >= self._decreased_s:
            if self._decreased_s == float(
                "-inf"
            ):  # the first: what was under way was too much, or 64 where that was less
                self.size = min(max(float(self.in_use), self._initial), self._maximum)
            self.size = max(self.size * self._decrease, self._minimum)
            self._decreased_s = now_s


class TenantPools:
    """Fixed numbers of places; what is not in use takes no memory."""

    def __init__(self, default: int | None = None, own: dict[str, int] | None = None) -> None:
        self._default = default
        self._own = own or {}
        self._in_use: dict[str, int] = {}

    def in_use(self, tenant: str) -> int:
        return self._in_use.get(tenant, 0)

    def enter(self, tenant: str) -> bool:
        """Take a place of the tenant's; False where it has none left."""
        limit = self._own.get(tenant, self._default) if self._own else self._default
        used = self._in_use.get(tenant, 0)
        if limit is not None and used >= limit:
            return False
        self._in_use[tenant] = used + 1
        return True

    def leave(self, tenant: str) -> None:
        """Give a place back."""
        used = self._in_use[tenant]
        if used == 1:
            del self._in_use[tenant]
        else:
            self._in_use[tenant] = used - 1
