"""Resilience: a call that fails before its first content is made again, here or at another deployment, within its time.

The one layer that retries. It takes routing's place: which deployment is asked, and whether again, are the same
question. What to do is decided by pure functions (`resilience`); this policy asks them, waits, and tells breakers how
it went. After the first content nothing is repeated: what breaks then reaches the caller as an explicit error.
"""

import asyncio
import random
from collections.abc import Awaitable, Sequence
from typing import Protocol, Self

from ..clock import Clock
from ..errors import DeadlineExceeded, LLMOpsError, UpstreamError, UpstreamUnavailable
from ..resilience.candidate import Candidate
from ..resilience.deadline import Deadline, Wish
from ..resilience.director import GiveUp, next_attempt
from ..resilience.failure import FULL, Attempt, Failure, failure_of, told
from ..resilience.fleet import Fleet, Lane
from ..spend.settlement import fate_is_unknown
from ..types import Call, FailedAttempt, Handler, Policy, Reply, ReplyStream

_DOWN = frozenset({"transient", "overloaded", "timeout", "credential", "full"})
_NOT_DOWN = frozenset({"final", "committed", "deadline"})


class Named(Protocol):
    @property
    def name(self) -> str: ...


class Targets(Protocol):
    """Finds a model by the name that a client asks for."""

    def find(self, name: str) -> Named: ...


def resilience(targets: Targets, fleet: Fleet, clock: Clock, luck: random.Random, timeout_s: float) -> Policy:
    """Set ``call.model`` and ``call.deployment``, count attempts and note those that fail. Raises the last attempt's
    error, which names what was tried where that was more than one, or `DeadlineExceeded`."""

    def policy(handle: Handler) -> Handler:
        def resilient(call: Call) -> Awaitable[Reply]:
            model = targets.find(call.view.model)
            call.model = model.name
            lane = fleet.lanes[model.name]
            return _Course(call, lane, fleet, clock, luck, handle).run(timeout_s)

        return resilient

    return policy


class _Course:
    """One call's way along its model's deployments."""

    __slots__ = ("_call", "_clock", "_first_rules", "_fleet", "_handle", "_lane", "_luck", "_tried")

    def __init__(
        self, call: Call, lane: Lane, fleet: Fleet, clock: Clock, luck: random.Random, handle: Handler
    ) -> None:
        self._call = call
        self._lane = lane
        self._fleet = fleet
        self._clock = clock
        self._luck = luck
        self._handle = handle
        self._tried: list[Attempt] = []
        self._first_rules = fleet.first_rules

    async def run(self, timeout_s: float) -> Reply:
        call, lane = self._call, self._lane
        now_s = self._clock.monotonic_s()
        lane.budget.call(now_s)
        wished = call.timeout_s is not None or call.stage is not None
        deadline = _deadline(call, timeout_s) if wished else None
        if deadline is not None and deadline.is_spent(now_s):
            raise DeadlineExceeded(f"{deadline.shown()} is over before the call could be made")
        candidate = lane.balancer.first(now_s, self._luck.random(), _session(call))
        ticket = candidate.begin(now_s) if candidate is not None else 0
        if candidate is not None and ticket:
            try:
                return await self._attempt(candidate, ticket, deadline, now_s)
            except LLMOpsError as error:
                if not self._tried:  # not an attempt's
                    raise
                return await self._go_on(deadline or _deadline(call, timeout_s), error)
        return await self._go_on(deadline or _deadline(call, timeout_s), None)

    async def _go_on(self, deadline: Deadline, error: LLMOpsError | None) -> Reply:
        """Attempt after attempt, as the director says, until one succeeds or there is none left."""
        call, lane, tried = self._call, self._lane, self._tried
        try:
            while True:
                now_s = self._clock.monotonic_s()
                luck = self._luck.random()
                decided = next_attempt(
                    tried,
                    lane.balancer.options(now_s, luck, _session(call)),
                    remaining_s=deadline.remaining_s(now_s),
                    has_credit=lane.budget.has_credit(now_s),
                    luck=luck,
                    rules=self._fleet.rules.retries if tried else self._first_rules,
                )
                if isinstance(decided, GiveUp):
                    raise _last(error, tried, decided, deadline)
                if decided.takes_credit:
                    lane.budget.take(now_s)
                if decided.wait_s > 0:
                    await asyncio.sleep(decided.wait_s)
                    now_s = self._clock.monotonic_s()
                candidate = lane.candidates[decided.deployment]
                ticket = candidate.begin(now_s)
                if not ticket:
                    tried.append(Attempt(candidate.name, FULL))
                    continue
                if tried:
                    lane.tally.go_on(candidate.name, tried)
                try:
                    return await self._attempt(candidate, ticket, deadline, now_s)
                except LLMOpsError as raised:
                    error = raised
        finally:
            del error  # its traceback holds this frame

    async def _attempt(self, candidate: Candidate, ticket: int, deadline: Deadline | None, began_s: float) -> Reply:
        """One attempt; its failure is noted in ``tried`` and raised."""
        call = self._call
        deployment = self._lane.deployments[candidate.name]
        limits = deadline.limits(deployment.timeouts, began_s) if deadline is not None else None
        call.deployment, call.timeouts = deployment, limits
        call.attempted_s = began_s
        call.attempts += 1
        if self._tried:
            call.dropped = []  # what the attempt before could not carry is not this one's
        try:
            reply = await self._handle(call)
        except LLMOpsError as error:
            now_s = self._clock.monotonic_s()
            shortened = limits is not None and limits.ended(now_s - began_s)
            failure = failure_of(error, shortened=shortened)
            self._tried.append(Attempt(candidate.name, failure))
            call.failed += (_failed(call, candidate.name, error, failure, now_s),)
            candidate.fail(ticket, failure, began_s=began_s, now_s=now_s, luck=self._luck.random())
            candidate.leave()
            if failure.is_ill_health:
                self._lane.budget.fail()
            raise
        except BaseException:
            candidate.abandon(ticket)
            candidate.leave()
            raise
        now_s = self._clock.monotonic_s()
        first_s = reply.outcome.first_content_s
        candidate.succeed(ticket, now_s, (first_s if first_s is not None else now_s) - began_s)
        self._lane.budget.succeed()
        if reply.stream is None:
            candidate.leave()
        else:
            reply.stream = _Occupied(reply.stream, candidate, ticket, self._clock, self._luck)
        return reply


class _Occupied:
    """A stream that holds its deployment's place until its end, and tells when it breaks on the way."""

    __slots__ = ("_candidate", "_clock", "_luck", "_stream", "_ticket")

    def __init__(
        self, stream: ReplyStream, candidate: Candidate, ticket: int, clock: Clock, luck: random.Random
    ) -> None:
        self._stream = stream
        self._candidate: Candidate | None = candidate
        self._ticket = ticket
        self._clock = clock
        self._luck = luck

    def __aiter__(self) -> Self:
        return self

    async def __anext__(self) -> bytes:
        try:
            return await self._stream.__anext__()
        except UpstreamError as error:
            candidate, now_s = self._candidate, self._clock.monotonic_s()
            if candidate is not None:
                failure = failure_of(error, committed=True)
                candidate.fail(self._ticket, failure, began_s=now_s, now_s=now_s, luck=self._luck.random())
            self._leave()
            raise
        except BaseException:
            self._leave()
            raise

    async def aclose(self) -> None:
        self._leave()
        await self._stream.aclose()

    def _leave(self) -> None:
        candidate, self._candidate = self._candidate, None
        if candidate is not None:
            candidate.leave()


def _deadline(call: Call, timeout_s: float) -> Deadline:
    wish = Wish(call.timeout_s, call.stage, call.stage_timeout_s)
    return Deadline.after(call.started_s, timeout_s, wish=wish)


def _session(call: Call) -> str | None:
    """What a caller's prompts have in common, within its tenant; None where nothing is known."""
    shared = call.view.cache_key or call.view.user
    return f"{call.tenant}/{shared}" if shared else None


def _failed(call: Call, deployment: str, error: LLMOpsError, failure: Failure, now_s: float) -> FailedAttempt:
    return FailedAttempt(
        number=call.attempts,
        deployment=deployment,
        error_type=error.code,
        status=failure.status,
        latency_s=now_s - call.attempted_s,
        in_doubt=fate_is_unknown(error),
        began_s=call.attempted_s,
    )


def _last(error: LLMOpsError | None, tried: Sequence[Attempt], decided: GiveUp, deadline: Deadline) -> LLMOpsError:
    """What the caller is told at the end: the last error, with all that was tried where that was more than one; a 503
    where all of that is down."""
    if error is None:
        return UpstreamUnavailable(
            f"no deployment of this model can take the call: {told(tried)}", retry_after_s=decided.retry_after_s
        )
    if len(tried) > 1 and decided.why not in _NOT_DOWN and all(each.failure.kind in _DOWN for each in tried):
        down = UpstreamUnavailable(f"every attempt failed: {told(tried)}", retry_after_s=decided.retry_after_s)
        down.__cause__ = error
        return down
    if len(tried) > 1 and decided.why != "final":
        over = f"{deadline.shown()} is over; " if decided.why == "deadline" else ""
        error.message = f"{error.message} ({over}tried: {told(tried)})"
        error.args = (error.message,)
    if decided.retry_after_s is not None and error.retry_after_s is None and error.retryable:
        error.retry_after_s = decided.retry_after_s
    return error
