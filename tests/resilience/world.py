"""A simulated gateway: calls, deployments with moods, and the shipped decisions between them, under a virtual clock.

A call is a generator that yields how long it waits; a heap says who goes on next. The part that waits and sends, which
is the policy's, is written here as plainly as it can be; balancer, breakers, pools, budget and director are real.
"""

import random
from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass, field
from heapq import heappop, heappush

from llmops.resilience.balancer import Balancer, Strategy
from llmops.resilience.breaker import Breaker
from llmops.resilience.candidate import Candidate
from llmops.resilience.deadline import Deadline, Limits
from llmops.resilience.director import GiveUp, next_attempt
from llmops.resilience.failure import FULL, Attempt, Failure, FailureKind
from llmops.resilience.pool import AdaptivePool
from llmops.resilience.retry_budget import RetryBudget
from llmops.resilience.rules import BreakerRules, PoolRules, RetryRules

OWN = Limits(connect_s=1.0, first_byte_s=4.0, idle_s=3.0, total_s=30.0)
MOODS = ("well", "well", "down", "stalled", "throttled", "overloaded", "refusing", "flaky", "cutting", "slow")


@dataclass
class Place:
    """A deployment. Its mood changes at random times until ``well_from_s``."""

    name: str
    luck: random.Random
    well_from_s: float
    always_well: bool = False
    moods: tuple[str, ...] = MOODS
    mood: str = "well"
    until_s: float = 0.0
    asked: list[float] = field(default_factory=list)

    def answer(self, now_s: float) -> tuple[Failure | None, float, float]:
        """What becomes of an attempt that begins now: a failure or None, after how long, and for how long it streams; a
        committed failure comes after that."""
        self.asked.append(now_s)
        luck = self.luck
        if self.always_well or now_s >= self.well_from_s:
            self.mood = "well"
        elif now_s >= self.until_s:
            self.mood, self.until_s = luck.choice(self.moods), now_s + luck.expovariate(1 / 40)
        first_s, rest_s = 0.05 + luck.random() * 0.3, luck.random() * 2
        mood = luck.choice(("well", "down", "stalled")) if self.mood == "flaky" else self.mood
        match mood:
            case "down":
                return Failure(kind="transient"), luck.random() * 0.02, 0.0
            case "stalled":
                return None, 1e9, 0.0
            case "slow":
                return None, first_s * 8, rest_s
            case "throttled":
                asked_s = luck.choice((None, 0.0, 0.5, 3.0, 1e5))
                return Failure(kind="throttled", status=429, retry_after_s=asked_s), 0.01, 0.0
            case "overloaded":
                return Failure(kind="overloaded", status=503, retry_after_s=luck.choice((None, 2.0))), 0.01, 0.0
            case "refusing":
                return Failure(kind="credential", status=luck.choice((401, 403))), 0.01, 0.0
            case "cutting":
                return Failure(kind="transient", committed=True), first_s, rest_s
        return None, first_s, rest_s


@dataclass
class Ended:
    """What became of a call."""

    outcome: str
    began_s: float
    ended_s: float
    deadline_s: float
    attempts: int
    rejected: bool = False


class World:
    """One model over its places. ``run`` returns when every call has ended."""

    def __init__(
        self,
        seed: int,
        places: int,
        *,
        strategy: Strategy,
        well_from_s: float = 1e9,
        one_is_well: bool = False,
        moods: tuple[str, ...] = MOODS,
        retry: RetryRules | None = None,
    ) -> None:
        self.luck = random.Random(seed)
        self.rules = retry or RetryRules()
        self.now_s = 0.0
        self.places = {name: Place(name, self.luck, well_from_s, moods=moods) for name in "abcdef"[:places]}
        if one_is_well:
            self.luck.choice(list(self.places.values())).always_well = True
        self.candidates = {
            name: Candidate(
                name,
                Breaker(BreakerRules(), 0.0),
                AdaptivePool(PoolRules()),
                weight=self.luck.choice((0.5, 1.0, 3.0)),
                price=self.luck.choice((None, 1.0, 2.0)),
            )
            for name in self.places
        }
        self.balancer = Balancer(list(self.candidates.values()), strategy)
        self.budget = RetryBudget(self.rules, 0.0)
        self.ended: list[Ended] = []
        self.came: list[float] = []
        self.credits_taken: list[float] = []
        self.free_rides = 0
        self.changes: Counter[str] = Counter()

    def run(self, arrivals: list[float], total_s: tuple[float, float] = (0.02, 30.0)) -> None:
        heap: list[tuple[float, int, Iterator[float]]] = []
        for number, at_s in enumerate(arrivals):
            heappush(heap, (at_s, number, self._call(self.luck.uniform(*total_s))))
        while heap:
            self.now_s, number, call = heappop(heap)
            wait_s = next(call, None)
            if wait_s is not None:
                heappush(heap, (self.now_s + wait_s, number, call))

    def _call(self, total_s: float) -> Iterator[float]:
        began_s, random_ = self.now_s, self.luck.random
        deadline = Deadline.after(began_s, total_s)
        self.budget.call(began_s)
        self.came.append(began_s)
        session = None if random_() < 0.7 else f"talk {int(random_() * 9)}"
        tried: list[Attempt] = []
        end = Ended("", began_s, 0.0, deadline.at_s, 0)
        while not end.outcome:
            options = self.balancer.options(self.now_s, random_(), session)
            assert options, "there is always somebody to ask"
            first = self.balancer.first(self.now_s, random_(), session)
            assert first is None or first.is_free(self.now_s)
            step = next_attempt(
                tried,
                options,
                remaining_s=deadline.remaining_s(self.now_s),
                has_credit=self.budget.has_credit(self.now_s),
                luck=random_(),
                rules=self.rules,
            )
            if isinstance(step, GiveUp):
                end.outcome = step.why
                break
            if step.takes_credit:
                assert self.budget.take(self.now_s)
                self.credits_taken.append(self.now_s)
            elif any(attempt.failure.was_sent for attempt in tried):
                self.free_rides += 1
            if step.wait_s:
                yield step.wait_s
            end.attempts += 1
            yield from self._attempt(self.candidates[step.deployment], deadline, tried, end)
        end.ended_s = self.now_s
        self.ended.append(end)

    def _attempt(self, chosen: Candidate, deadline: Deadline, tried: list[Attempt], end: Ended) -> Iterator[float]:
        """One attempt; sets the outcome where there is nothing left to decide."""
        began_s = self.now_s
        ticket = chosen.begin(began_s)
        if not ticket:
            tried.append(Attempt(chosen.name, FULL))
            return
        limits = deadline.limits(OWN, began_s) or OWN
        failure, first_s, rest_s = self.places[chosen.name].answer(began_s)
        if first_s > limits.first_byte_s:
            late: FailureKind = "impatient" if limits.ended(limits.first_byte_s) else "timeout"
            failure, first_s = Failure(kind=late), limits.first_byte_s
        if self.luck.random() < 0.03:  # the client leaves
            yield first_s * self.luck.random()
            chosen.abandon(ticket)
            chosen.leave()
            end.outcome = "left"
            return
        yield first_s
        if failure is None or failure.committed:
            self._note(chosen.succeed(ticket, self.now_s, first_s))
            self.budget.succeed()
            yield min(rest_s, max(began_s + limits.total_s - self.now_s, 0.0))
        if failure is None:
            end.outcome = "answered"
        else:
            change = chosen.fail(ticket, failure, began_s=began_s, now_s=self.now_s, luck=self.luck.random())
            self._note(change)
            self.budget.fail()
            tried.append(Attempt(chosen.name, failure))
        chosen.leave()

    def _note(self, change: str | None) -> None:
        if change is not None:
            self.changes[change] += 1
