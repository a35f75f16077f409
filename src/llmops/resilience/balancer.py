"""The order in which a model's deployments are asked, for one call.

First those that are free, by rank and then by the strategy; then those whose pool is full; then those that cool down,
the soonest first. What is ejected or dead is left out, unless that is more than half of all, or everything else cools
down for more than 5 s: then it comes last, the soonest first. So the list is never empty, and the last one serves.
(Envoy's panic mode spreads calls over sick hosts once half are sick. With the few deployments of a model that would
send most calls to dead ones while a healthy one stands by, so here the healthy stay first.)

Sessions stick, for providers keep a prompt's prefix in a cache: among equals (one rank; under ``cheapest`` also one
price) the one that wins the weighted rendezvous hash of the session comes first while it is free. Every process finds
the same one, and when a deployment leaves only its own sessions move. Under ``ordered`` nothing is equal.
"""

from collections.abc import Sequence
from hashlib import blake2b
from math import inf, log
from typing import Literal

from .candidate import Candidate
from .director import Option

Strategy = Literal["ordered", "weighted", "least_busy", "lowest_latency", "cheapest"]

_PANIC_SHARE = 0.5
_WAITED_FOR_S = 5.0
_UNKNOWN_S = 3600.0
"""What the first token of a deployment that nobody has measured is taken to need, while it is being measured."""


class Balancer:
    """One model's candidates, in the order of the configuration. ``luck`` is uniform in [0, 1); ``session`` is what a
    caller's prompts have in common (with its tenant in it, or tenants share), None where nothing is known."""

    def __init__(self, candidates: Sequence[Candidate], strategy: Strategy = "ordered") -> None:
        if not candidates:
            raise ValueError("a model needs a deployment")
        self.candidates = tuple(candidates)
        self.strategy = strategy
        self._is_ordered = strategy == "ordered" and all(candidate.rank == 0 for candidate in candidates)

    def first(self, now_s: float, luck: float, session: str | None = None) -> Candidate | None:
        """The one to ask first; None where none is free, and ``options`` has the rest of the story."""
        if self._is_ordered or len(self.candidates) == 1:
            for candidate in self.candidates:
                if candidate.is_free(now_s):
                    return candidate
            return None
        free = self._free(now_s, luck, session)
        return free[0] if free else None

    def order(self, now_s: float, luck: float, session: str | None = None) -> list[Candidate]:
        """All that may be asked, the best first; never empty."""
        found = self._free(now_s, luck, session)
        free = set(found)
        full, cooling, out = [], [], []
        is_served = bool(found)
        for candidate in self.candidates:
            if candidate in free:
                continue
            if candidate.breaker.is_out(now_s):
                out.append(candidate)
            elif (ready_in_s := candidate.breaker.ready_in_s(now_s)) > 0:
                cooling.append(candidate)
                is_served = is_served or ready_in_s <= _WAITED_FOR_S
            else:
                full.append(candidate)
                is_served = True
        found += sorted(full, key=lambda candidate: candidate.rank)
        found += sorted(cooling, key=lambda candidate: candidate.breaker.ready_in_s(now_s))
        if len(out) > len(self.candidates) * _PANIC_SHARE or not is_served:
            found += sorted(out, key=lambda candidate: candidate.breaker.ready_in_s(now_s))
        return found

    def options(self, now_s: float, luck: float, session: str | None = None) -> list[Option]:
        """``order`` as the director wants it. What is offered for want of anything else may be tried at once."""
        return [
            Option(
                deployment=candidate.name,
                ready_in_s=0.0 if candidate.breaker.is_out(now_s) else candidate.breaker.ready_in_s(now_s),
                is_good=candidate.breaker.is_good,
                is_free=candidate.is_free(now_s),
            )
            for candidate in self.order(now_s, luck, session)
        ]

    def _free(self, now_s: float, luck: float, session: str | None) -> list[Candidate]:
        free = [candidate for candidate in self.candidates if candidate.is_free(now_s)]
        if len(free) < 2:
            return free
        if self.strategy == "ordered":
            return sorted(free, key=lambda candidate: candidate.rank)
        if session is not None and self.strategy != "cheapest":
            free = _by_session(free, session)
            favourite = min(free, key=lambda candidate: candidate.rank)
            rest = self._ranked([candidate for candidate in free if candidate is not favourite], now_s, luck)
            return [favourite, *rest]
        return self._ranked(
            free if session is None else _by_session(free, session), now_s, luck, shuffle=session is None
        )

    def _ranked(self, free: list[Candidate], now_s: float, luck: float, *, shuffle: bool = True) -> list[Candidate]:
        """By rank and strategy; what is equal in both stands as chance would have it, in proportion to the weights."""
        if shuffle:
            free = _shuffled(free, luck)
        match self.strategy:
            case "least_busy":
                return sorted(free, key=lambda each: (each.rank, each.pool.in_use / each.weight))
            case "lowest_latency":
                return sorted(free, key=lambda each: (each.rank, _expected_s(each, now_s)))
            case "cheapest":
                return sorted(free, key=lambda each: (each.rank, inf if each.price is None else each.price))
        return sorted(free, key=lambda each: each.rank)


def _expected_s(candidate: Candidate, now_s: float) -> float:
    """Peak EWMA times how many would wait there; an unknown one is tried first, by one call at a time."""
    waiting = candidate.pool.in_use
    cost_s = candidate.latency.cost_s(now_s)
    return (_UNKNOWN_S if waiting and cost_s == 0 else cost_s) * (waiting + 1)


def _shuffled(candidates: list[Candidate], luck: float) -> list[Candidate]:
    """A random order, in proportion to the weights. Where the luck falls inside the chosen interval is luck again."""
    left, found = list(candidates), []
    while len(left) > 1:
        point = luck * sum(candidate.weight for candidate in left)
        number = 0
        while number < len(left) - 1 and point >= left[number].weight:
            point -= left[number].weight
            number += 1
        luck = min(max(point / left[number].weight, 0.0), 1.0 - 1e-9)
        found.append(left.pop(number))
    return found + left


def _by_session(candidates: list[Candidate], session: str) -> list[Candidate]:
    """Rendezvous hashing: each candidate draws a number from the session, and the weights stretch them (Mosharaf)."""
    return sorted(candidates, key=lambda candidate: -_drawn(candidate, session))


def _drawn(candidate: Candidate, session: str) -> float:
    digest = blake2b(f"{session}\0{candidate.name}".encode("utf-8", "surrogatepass"), digest_size=8).digest()
    uniform = (int.from_bytes(digest) + 1) / (2**64 + 2)
    return -candidate.weight / log(uniform)
