"""What comes next: another attempt, where, after which pause; or the end, and why. One layer decides; nothing else
retries.

A pure function of what has failed so far, the options, the time left and whether there is a credit. Its rules, in
order:

1. After the first content nothing is repeated; what will fail again is not repeated; the number of attempts is bounded.
2. The best place is one that this call has not tried and that is free: at once, since its failure is not this one's.
   Otherwise whatever needs the shortest pause, after full jitter, `Retry-After` and cool-downs honoured.
3. Nothing that needs more than 20 s or more than is left: another deployment, or the end at once.
4. An attempt after the first takes a credit of the retry budget, except at a place that this call has not tried and
   whose last answer was good. That hammers nobody, and a budget meant for dead upstreams must not keep calls from a
   living one. When the other place is dead as well, its first failure ends the exception: what is free of credits at
   total failure is at most what was under way until then, once for each deployment.
"""

from collections import Counter
from collections.abc import Sequence
from math import inf
from typing import Literal

import msgspec

from .backoff import backoff_s
from .deadline import LEAST_S
from .failure import Attempt, Failure
from .rules import RetryRules

Why = Literal["committed", "final", "attempts", "deadline", "budget", "patience", "nowhere"]
"""Why there is no further attempt. ``patience``: every place left asks for a longer wait than there is time for;
``nowhere``: every place left has failed in a way that will repeat itself."""


class Option(msgspec.Struct, frozen=True, kw_only=True, gc=False):
    """A deployment that may be asked, as `balancer` offers them, the best first."""

    deployment: str
    ready_in_s: float = 0.0
    is_good: bool = True
    is_free: bool = True


class Again(msgspec.Struct, frozen=True, kw_only=True, gc=False):
    """Make an attempt there after the pause. ``takes_credit``: use one of the budget up before."""

    deployment: str
    wait_s: float = 0.0
    takes_credit: bool = False


class GiveUp(msgspec.Struct, frozen=True, kw_only=True, gc=False):
    """The last failure is the call's. ``retry_after_s``: when a place would be ready, for the caller."""

    why: Why
    retry_after_s: float | None = None


Next = Again | GiveUp


def next_attempt(
    tried: Sequence[Attempt],
    options: Sequence[Option],
    *,
    remaining_s: float,
    has_credit: bool,
    luck: float,
    rules: RetryRules,
) -> Next:
    """The next attempt of a call after those it has made; with none made, the first. ``luck`` is uniform in [0, 1)."""
    end = _end(tried, options, remaining_s, rules)
    if end is not None:
        return end
    failures = {attempt.deployment: attempt.failure for attempt in tried}
    times = Counter(attempt.deployment for attempt in tried)
    was_sent = any(attempt.failure.was_sent for attempt in tried)
    most_s = min(rules.max_wait_s, remaining_s - LEAST_S)
    found: list[tuple[float, bool, Again]] = []
    lacks_credit = False
    lacks_time_s = inf
    for option in options:
        there = failures.get(option.deployment)
        if there is not None and not there.may_repeat_here:
            continue
        takes_credit = was_sent and not (there is None and option.is_good)
        least_s = _least_wait_s(option, there)
        if takes_credit and not has_credit:
            lacks_credit = True
        elif least_s > most_s:
            lacks_time_s = min(lacks_time_s, least_s)
        else:
            wait_s = min(least_s + _jitter_s(option, there, times[option.deployment], luck, rules), most_s)
            again = Again(deployment=option.deployment, wait_s=wait_s, takes_credit=takes_credit)
            found.append((wait_s, there is not None, again))
    if found:
        return min(found, key=lambda each: each[:2])[2]
    if lacks_credit:
        return GiveUp(why="budget", retry_after_s=_soonest_s(options))
    if lacks_time_s < inf:
        return GiveUp(why="patience", retry_after_s=lacks_time_s)
    return GiveUp(why="nowhere")


def _end(tried: Sequence[Attempt], options: Sequence[Option], remaining_s: float, rules: RetryRules) -> GiveUp | None:
    """Why there is nothing more to do, wherever it would be."""
    if tried and tried[-1].failure.committed:
        return GiveUp(why="committed")
    if tried and not tried[-1].failure.may_repeat_elsewhere:
        return GiveUp(why="final")
    if remaining_s < LEAST_S:
        return GiveUp(why="deadline")
    if len(tried) >= rules.max_attempts:
        return GiveUp(why="attempts", retry_after_s=_soonest_s(options))
    return None


def _least_wait_s(option: Option, there: Failure | None) -> float:
    asked_s = there.retry_after_s if there is not None else None
    return option.ready_in_s if asked_s is None else max(option.ready_in_s, asked_s)


def _jitter_s(option: Option, there: Failure | None, times: int, luck: float, rules: RetryRules) -> float:
    """A random part of the pause: none where nobody waits for the same moment."""
    if there is not None:
        return backoff_s(rules, times - 1, luck, throttled=there.is_busy)
    if option.ready_in_s > 0 or not option.is_free:
        return backoff_s(rules, 0, luck)
    return 0.0


def _soonest_s(options: Sequence[Option]) -> float | None:
    return min((option.ready_in_s for option in options), default=None) or None
