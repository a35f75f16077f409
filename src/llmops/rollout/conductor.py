"""The conductor: each second, in one gateway at a time, it counts what open rollouts have seen since and decides.

All that it knows is the database's; what a round has counted, its watermark and what it decided are one transaction, so
after a kill the next one goes on from the same step and the same evidence. A rollout that cannot be judged holds, and
``problems`` says so. Not covered: a gateway whose database is gone decides nothing; calls go on as they were assigned.
"""

import asyncio
import logging
import secrets
from collections.abc import Mapping, Sequence

import msgspec

from ..clock import Clock
from ..errors import Conflict, InvalidRequest, LLMOpsError, NotFound
from ..statistics.verdict import Finding
from ..store.database import Database
from ..store.follower import Follower
from ..types import SHADOW
from .evidence import Evidence, hard_cap, keys_of, marks, seen, take_calls, take_labels
from .late import judged
from .plan import Plan
from .ports import Burns, Releases, Told, nothing_burns, tell_nobody
from .repository.calls import RolloutCalls
from .repository.late import LateCalls, LateDone
from .repository.readings import Readings
from .repository.rollouts import Changed, RolloutRepository
from .rollout import LoggedDecision, Rollout
from .state import Alarm, Decision, Event, State, advance
from .trial import arm_marks, seen_arms

_log = logging.getLogger(__name__)
_PERIOD_S = 1.0
_LEASE_S = 5.0
_MOST_CALLS = 10_000
"""A round, which then takes a fifth of a second; what is left comes with the next one."""
_KEPT_S = 10.0
_MARKS = 500
"""About so many are kept of a rollout, to be drawn."""
_BURNS_EVERY_S = 5.0


class Conductor:
    """Owns its task between ``start`` and ``aclose``."""

    def __init__(
        self,
        database: Database,
        clock: Clock,
        releases: Releases,
        *,
        burns: Burns = nothing_burns,
        told: Told = tell_nobody,
        period_s: float = _PERIOD_S,
        lease_s: float = _LEASE_S,
        name: str | None = None,
    ) -> None:
        self.process = name or secrets.token_hex(8)
        self._repository = RolloutRepository(database)
        self._calls = RolloutCalls(database)
        self._late = LateCalls(database)
        self._readings = Readings(database)
        self._here_until_ms = 0
        self._clock = clock
        self._releases = releases
        self._burns = burns
        self._told = told
        self._lease_s = lease_s
        self._burning: Sequence[tuple[Mapping[str, str], str]] = ()
        self._burns_at_s = 0.0
        self._kept_s: dict[str, float] = {}
        self._failing: dict[str, str] = {}
        self._held = False
        self._follower = Follower("decisions on rollouts", self._turn, period_s=period_s)

    async def start(self) -> None:
        await self._follower.start()

    async def aclose(self) -> None:
        await self._follower.aclose()
        if self._held:
            try:
                await asyncio.to_thread(self._repository.give_up_lease, self.process)
            except LLMOpsError as exc:
                _log.warning("the lease on rollouts is not given up: %s", exc.message)

    def problems(self) -> list[str]:
        """For ``/health``."""
        found = [f"the rollout {rollout_id} cannot be judged: {why}" for rollout_id, why in self._failing.items()]
        return [*found, *([f"rollouts are not judged: {self._follower.failing}"] if self._follower.failing else [])]

    def round(self) -> None:
        """One look at all open rollouts; blocks. Raises `StoreUnavailable`."""
        if not self._repository.exists:
            return
        open_ = self._repository.open()
        self._failing = {key: why for key, why in self._failing.items() if key in {each.id for each in open_}}
        if not open_:
            return
        self._held = self._repository.take_lease(self.process, self._clock.now_s(), self._lease_s)
        if not self._held:
            return
        burning = self._look_at_burns()
        now_ms = round(self._clock.now_s() * 1000)
        least_ms = self._readings.least(now_ms)
        self._here_until_ms = now_ms if least_ms is None else min(now_ms, least_ms)
        for rollout in open_:
            try:
                self._judge(rollout, burning)
            except Changed:
                pass  # somebody has given an order; the next round sees it
            except Exception as exc:  # noqa: BLE001 - a border: one rollout that fails must not stop the others
                why = exc.message if isinstance(exc, LLMOpsError) else f"{type(exc).__name__}: {exc}"
                if rollout.id not in self._failing:
                    _log.error("the rollout %s cannot be judged: %s", rollout.id, why, exc_info=exc)
                self._failing[rollout.id] = why
            else:
                self._failing.pop(rollout.id, None)

    async def _turn(self) -> None:
        await asyncio.to_thread(self.round)

    def _judge(self, rollout: Rollout, burning: Sequence[tuple[Mapping[str, str], str]]) -> None:
        now_s = self._clock.now_s()
        now_ms = round(now_s * 1000)
        revision, evidence = self._repository.evidence(rollout.id)
        if revision != rollout.revision:
            return
        units, late, is_news = self._count(rollout, evidence, min(now_ms, self._here_until_ms))
        before = rollout.state.shares
        is_trial = evidence.arms is not None
        findings: Mapping[str, Finding] = {}
        if is_trial:
            event = seen_arms(rollout.plan, evidence, before)
        else:
            event, findings = seen(rollout.plan, evidence)
        alarm = self._alarm(rollout, evidence, burning)
        state, decision = self._decide(rollout, alarm or event, now_ms)
        if state.status == "scheduled":
            return
        moves = state.shares != before
        if moves and evidence.arms is not None:
            evidence.arms.moved(before, state.shares)
        is_kept = is_news or moves or decision.action != "HOLD" or now_s - self._kept_s.get(rollout.id, 0.0) >= _KEPT_S
        if not is_kept:
            return
        if is_trial:
            drawn = arm_marks(rollout.plan, evidence, state.shares, now_ms)
        else:
            drawn = marks(rollout.plan, evidence, findings, now_ms)
        pause_ms = max(1000, (now_ms - state.began_ms) // _MARKS)
        is_drawn = decision.action != "HOLD" or now_ms - evidence.marked_ms >= pause_ms
        if is_drawn:
            evidence.marked_ms = now_ms
        after = msgspec.structs.replace(rollout, state=state, saying=decision.reason)
        logged = None
        if decision.action != "HOLD":
            logged = LoggedDecision(
                at_ms=now_ms,
                action=decision.action,
                step=state.step,
                share=after.share,
                by=decision.by,
                reason=decision.reason,
            )
        after = self._repository.keep(
            after,
            decision=logged,
            evidence=evidence,
            units=units,
            marks=drawn if is_drawn else (),
            late=late,
            moves=moves,
        )
        self._kept_s[rollout.id] = now_s
        if logged is not None:
            _log.info("rollout %s of %r: %s, %s", rollout.id, rollout.name, logged.action, logged.reason)
            self._told(after, logged, drawn)

    def _count(self, rollout: Rollout, evidence: Evidence, here_ms: int) -> tuple[dict[str, int], LateDone, bool]:
        """Put into the evidence what has come since; returns the units that are new, what has been done with calls
        that are late, and whether anything came. ``here_ms``: calls that ended before are in the database."""
        plan, since_ms = rollout.plan, evidence.calls.watermark_ms
        until_ms = max(since_ms, here_ms - round(plan.settle * 1000))
        late = self._late.read(rollout.id, until_ms)  # first: one that ends meanwhile is then found among the calls
        found, until_ms = self._calls.read(rollout.id, since_ms, until_ms, _MOST_CALLS)
        late = [each for each in late if each.call.started_ms < until_ms]
        failed, cost_nanousd, done = judged(late, {each.request_id for each in found}, since_ms)
        evidence.cost_nanousd += cost_nanousd
        found += failed
        units = keys_of(plan, [call for call in found if 0 < call.share < 1])
        known = self._repository.firsts(rollout.id, list(units)) if units else {}
        fresh = {unit: first for unit, first in units.items() if unit not in known}
        waiting = len(evidence.calls.pending)
        take_calls(plan, evidence, found, {**fresh, **known}, until_ms)
        is_news = bool(found or late) or len(evidence.calls.pending) != waiting
        names = [each.name for each in plan.watched if each.name is not None]
        if names:
            is_news = self._count_labels(rollout, evidence, names, fresh, here_ms) or is_news
        return fresh, done, is_news

    def _count_labels(
        self, rollout: Rollout, evidence: Evidence, names: Sequence[str], fresh: dict[str, int], now_ms: int
    ) -> bool:
        plan, stream = rollout.plan, evidence.labels
        until_ms = min(evidence.calls.watermark_ms, now_ms - round(plan.label_delay * 1000))
        if until_ms <= stream.watermark_ms:
            return False
        found, until_ms = self._calls.read(rollout.id, stream.watermark_ms, until_ms, _MOST_CALLS)
        units = keys_of(plan, found)
        firsts = {**self._repository.firsts(rollout.id, list(units)), **fresh} if units else {}
        take_labels(plan, evidence, self._calls.scores(found, names), firsts, until_ms)
        return bool(found)

    def _alarm(
        self, rollout: Rollout, evidence: Evidence, burning: Sequence[tuple[Mapping[str, str], str]]
    ) -> Alarm | None:
        plan = rollout.plan
        blocked = [each for each in plan.challengers if self._releases.blocked(each, rollout.tenant)]
        if blocked:
            return Alarm(reason=f"the gate's verdict on {_named(plan, blocked[0])} is BLOCK")
        live = self._releases.live(rollout.name, rollout.tenant)
        mirrors = plan.kind == SHADOW  # then nothing of ours can have made the candidate live
        if live != rollout.stable and (mirrors or live != rollout.candidate):
            return Alarm(reason=f"{live} has become the live release meanwhile")
        spent = hard_cap(plan, evidence)
        if spent is not None:
            return Alarm(reason=spent)
        for labels, said in burning:
            whose = labels.get("tenant")
            concerns = rollout.tenant is None or whose in (None, rollout.tenant)
            if labels.get("release") in plan.challengers and concerns:
                return Alarm(reason=f"an objective of {_named(plan, labels['release'])} burns: {said}")
        return None

    def _decide(self, rollout: Rollout, event: Event, now_ms: int) -> tuple[State, Decision]:
        state, decision = advance(rollout.plan, rollout.state, event, now_ms)
        try:
            if decision.action == "START":
                for each in rollout.plan.challengers:
                    self._releases.check(each, rollout.name, rollout.tenant)
            elif decision.action == "DONE":
                self._releases.promote(rollout, decision.by, f"rollout {rollout.id}")
        except (Conflict, InvalidRequest, NotFound) as exc:
            return advance(rollout.plan, rollout.state, Alarm(reason=exc.message), now_ms)
        return state, decision

    def _look_at_burns(self) -> Sequence[tuple[Mapping[str, str], str]]:
        now_s = self._clock.now_s()
        if now_s - self._burns_at_s >= _BURNS_EVERY_S:
            self._burns_at_s = now_s
            self._burning = self._burns()
        return self._burning


def _named(plan: Plan, release_id: str) -> str:
    return release_id if plan.arms else "the candidate"
