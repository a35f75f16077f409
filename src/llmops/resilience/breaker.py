"""The breaker of one (deployment, credential): whether it may be tried, learnt from what calls see. Passive only.

Closed, it opens (ejects) after 5 failures in a row, or when half of at least 20 calls of the last 30 s failed. The n-th
ejection lasts n times 30 s, at most 300 s, ± 10 % so that processes do not come back together; n falls by one for each
30 s in good health. When it is over, one probe at a time is a real call; 3 successes close it, a failure ejects again.
Beside that: a 429 is a cool-down, and no ill health; a refused credential is dead until a reload, or a probe every five
minutes, succeeds.

Every attempt takes a ticket. It says in which life of the breaker the attempt began, and answers from an earlier one
say nothing: calls that were under way when it opened neither close it nor eject it twice. A probe whose answer never
comes loses its place after ``ejection_s``. Whether the last deployment may be ejected is `balancer`'s question: it
offers an open one where there is nothing else, and such attempts count as probes do, except that their failure prolongs
nothing.
"""

from typing import Literal

import msgspec

from .breaker_state import NEVER_S, TICK_S, BreakerState, BreakerView, Phase, Shown, join, on_tick
from .call_window import CallWindow
from .failure import Failure
from .rules import BreakerRules

Change = Literal["ejected", "readmitted", "dead"]
"""What an answer did to a breaker; for logs, metrics and alerts."""

_MOST_DOUBLINGS = 20
_CLOCKS_APART_S = 5.0
_CHANGES: dict[Phase, Change] = {"closed": "readmitted", "open": "ejected", "dead": "dead"}


class Breaker:
    """Constant time; a success while closed is a handful of attribute reads. ``luck`` is uniform in [0, 1)."""

    __slots__ = (
        "_changed_s",
        "_cool_until_s",
        "_cools",
        "_forbidden",
        "_good_probes",
        "_out_until_s",
        "_phase",
        "_probe_until_s",
        "_reason",
        "_rules",
        "_streak",
        "_ticket",
        "_window",
        "changes",
        "ejections",
        "is_plain",
    )

    def __init__(self, rules: BreakerRules, now_s: float) -> None:
        self._rules = rules
        self._window = CallWindow(rules.window_s, now_s)
        self._phase: Phase = "closed"
        self._streak = self._cools = self._forbidden = self._good_probes = 0
        self._changed_s = self._out_until_s = self._cool_until_s = self._probe_until_s = NEVER_S
        self._reason = ""
        self._ticket = 2
        self.ejections = 0
        self.changes = 0
        """Moves with each change of `state`: time to share it."""
        self.is_plain = True
        """Closed and not cooling: to be tried without a further look."""

    # --- before an attempt ---

    def ready_in_s(self, now_s: float) -> float:
        """Seconds until it may be tried; 0: now."""
        if self.is_plain:
            return 0.0
        if self._phase == "closed" and now_s >= self._cool_until_s:
            self.is_plain = True
            return 0.0
        return max(self._cool_until_s - now_s, self._out_until_s - now_s, self._probe_until_s - now_s, 0.0)

    def is_out(self, now_s: float) -> bool:
        """Ejected or dead, and not yet due for a probe. Cooling down is not that."""
        return self._phase != "closed" and now_s < max(self._out_until_s, self._probe_until_s)

    def is_due(self, now_s: float) -> bool:
        """Ejected or dead, and to be tried now."""
        return self._phase != "closed" and self.ready_in_s(now_s) == 0.0

    @property
    def is_good(self) -> bool:
        """Closed, and its last answer was no failure."""
        return self._phase == "closed" and self._streak == 0

    def begin(self, now_s: float) -> int:
        """A ticket for an attempt, to be handed in with its outcome. While half-open it takes the probe's place."""
        if self._phase != "closed" and now_s >= self._out_until_s and now_s >= self._probe_until_s:
            self._probe_until_s = now_s + self._rules.ejection_s
            return self._ticket + 1
        return self._ticket

    # --- after it: one of these three ---

    def succeed(self, ticket: int, now_s: float) -> Change | None:
        """It was answered; of a stream: its first content came."""
        if self._phase == "closed":
            if ticket | 1 != self._ticket | 1:
                return None
            window = self._window
            if now_s >= window.end_s:
                window.turn(now_s)
            window.calls += 1
            self._streak = self._cools = self._forbidden = 0
            return None
        return self._probe_succeeded(ticket, now_s)

    def fail(self, ticket: int, failure: Failure, now_s: float, luck: float) -> Change | None:
        """It failed. A stream that was cut after its first content was a success before, and is counted once."""
        if failure.kind == "credential" and ticket | 1 == self._ticket | 1:
            return self._credential_refused(ticket, failure, now_s)
        if failure.kind == "throttled" or (failure.kind == "overloaded" and failure.retry_after_s is not None):
            self._cool(failure, now_s)
        if failure.is_ill_health:
            return self._ill(ticket, failure, now_s, luck)
        if failure.kind in ("rejected", "conflict") and failure.status is not None:
            return self.succeed(ticket, now_s)  # it has read the request and answered: it is well
        self.abandon(ticket)
        return None

    def abandon(self, ticket: int) -> None:
        """Nothing was learnt: the caller left, or nothing was sent. Gives a probe's place back."""
        if ticket == self._ticket + 1:
            self._probe_until_s = 0.0

    # --- to be seen, shared and mended ---

    @property
    def state(self) -> BreakerState:
        return BreakerState(
            phase=self._phase,
            changed_s=self._changed_s,
            out_until_s=self._out_until_s,
            ejections=self.ejections,
            cool_until_s=self._cool_until_s,
            reason=self._reason,
        )

    def merge(self, other: BreakerState, now_s: float) -> Change | None:
        """Take over what another process knows. Times longer than the rules allow are of a wrong clock: ignored."""
        own = self.state
        joined = own if self._is_of_a_wrong_clock(other, now_s) else join(own, other)
        self._set_cool(joined.cool_until_s)
        if msgspec.structs.replace(joined, cool_until_s=own.cool_until_s) == own:
            return None
        self._enter(joined.phase, joined.out_until_s, now_s, joined.reason)
        self._changed_s, self.ejections = joined.changed_s, joined.ejections
        return None if own.phase == joined.phase else _CHANGES[joined.phase]

    def pardon(self, now_s: float) -> None:
        """Try a refused credential again as if it were well: somebody may have mended it."""
        self._enter("closed", NEVER_S, now_s, "")

    def age(self, by_s: float) -> None:
        """So much more time has passed than the clock says: the machine slept. A whole number of ticks."""
        self._changed_s -= by_s
        self._out_until_s -= by_s
        self._cool_until_s -= by_s

    def shown(self, now_s: float) -> Shown:
        """The state in one word; changes nothing."""
        if self._phase == "open" and now_s >= self._out_until_s:
            return "half_open"
        return "cooling" if self._phase == "closed" and now_s < self._cool_until_s else self._phase

    def view(self, now_s: float) -> BreakerView:
        calls, failures = self._window.totals(now_s)
        return BreakerView(
            state=self.shown(now_s),
            wait_s=round(self.ready_in_s(now_s), 3),
            calls=calls,
            failures=failures,
            failures_in_a_row=self._streak,
            ejections=self.ejections,
            alert=self._phase == "dead",
            reason=self._reason,
        )

    # --- inside ---

    def _is_of_a_wrong_clock(self, other: BreakerState, now_s: float) -> bool:
        rules = self._rules
        longest_s = max(rules.max_ejection_s * (1 + rules.ejection_jitter), rules.credential_probe_s)
        return (
            other.changed_s > now_s + _CLOCKS_APART_S
            or other.out_until_s > now_s + longest_s + _CLOCKS_APART_S
            or other.cool_until_s > now_s + rules.max_cooldown_s + _CLOCKS_APART_S
        )

    def _probe_succeeded(self, ticket: int, now_s: float) -> Change | None:
        if ticket | 1 != self._ticket | 1:
            return None
        self.abandon(ticket)
        self._good_probes += 1
        if self._phase == "open" and self._good_probes < self._rules.successes_to_close:
            return None
        self._enter("closed", NEVER_S, now_s, "")  # a dead credential needs one success: it is refused or it is not
        return "readmitted"

    def _ill(self, ticket: int, failure: Failure, now_s: float, luck: float) -> Change | None:
        if ticket | 1 != self._ticket | 1:
            return None
        if self._phase == "dead":
            if ticket & 1:  # it has said nothing about the credential: ask again soon
                self._enter("dead", now_s + self._rules.ejection_s, now_s, self._reason)
            return None
        if self._phase == "open":
            self._good_probes = 0
            if now_s < self._out_until_s or not ticket & 1:  # offered for want of anything else
                return None
            return self._eject(failure, now_s, luck)
        window = self._window
        if now_s >= window.end_s:
            window.turn(now_s)
        window.failures += 1
        if not failure.committed:
            window.calls += 1
        self._streak += 1
        if self._streak >= self._rules.failures_in_a_row:
            return self._eject(failure, now_s, luck)
        calls, failures = window.totals(now_s)
        if calls >= self._rules.least_calls and failures >= calls * self._rules.failure_share:
            return self._eject(failure, now_s, luck)
        return None

    def _eject(self, failure: Failure, now_s: float, luck: float) -> Change:
        rules = self._rules
        if self._phase == "closed" and self.ejections:
            healthy_s = now_s - self._changed_s
            self.ejections = max(self.ejections - int(healthy_s / rules.ejection_s), 0)
        self.ejections += 1
        length_s = min(rules.ejection_s * self.ejections, rules.max_ejection_s)
        length_s *= 1 + rules.ejection_jitter * (2 * luck - 1)
        self._enter("open", now_s + length_s, now_s, failure.message)
        return "ejected"

    def _credential_refused(self, ticket: int, failure: Failure, now_s: float) -> Change | None:
        if self._phase == "dead" and not ticket & 1:  # offered for want of anything else
            return None
        self._forbidden += 1
        if self._phase != "dead":
            surely = failure.status in (401, 402, 429)
            if not surely and self._forbidden < self._rules.forbidden_in_a_row:
                self.abandon(ticket)
                return None
        before = self._phase
        self._enter("dead", now_s + self._rules.credential_probe_s, now_s, failure.message)
        return "dead" if before != "dead" else None

    def _cool(self, failure: Failure, now_s: float) -> None:
        wait_s = failure.retry_after_s
        if wait_s is None:
            if now_s < self._cool_until_s:  # one of many calls that were under way together
                return
            wait_s = min(self._rules.cooldown_s * 2.0 ** min(self._cools, _MOST_DOUBLINGS), self._rules.ejection_s)
            self._cools += 1
        self._set_cool(now_s + min(wait_s, self._rules.max_cooldown_s))

    def _set_cool(self, until_s: float) -> None:
        until_s = on_tick(until_s)
        if until_s > self._cool_until_s:
            self._cool_until_s = until_s
            self.is_plain = False
            self.changes += 1

    def _enter(self, phase: Phase, out_until_s: float, now_s: float, reason: str) -> None:
        """Begin another life: tickets of the one before are void."""
        self._phase, self._out_until_s, self._reason = phase, on_tick(out_until_s), reason
        self._probe_until_s = 0.0
        self._streak = self._forbidden = self._good_probes = 0
        self._ticket += 2
        # Never before what it follows, whoever's clock that was.
        self._changed_s = max(on_tick(now_s), self._changed_s + TICK_S)
        self.changes += 1
        self.is_plain = phase == "closed" and now_s >= self._cool_until_s
        if phase == "closed":
            self._window.clear(now_s)
