"""The exact cache: an identical call of the same tenant is answered with what is known, or with what is on its way.

It stands inside the limits, so that a hit counts as a request, and around structured output, so that what is kept has
passed it. A hit settles at zero because its reply says ``cached``. Kept is what came whole, with status 200, not larger
than allowed, and not known to break its JSON contract. A store that does not answer is a miss.
"""

from collections.abc import Awaitable, Mapping
from copy import copy
from typing import Protocol

from ..caching.cache import Cache, CacheRules
from ..caching.entry import Entry
from ..caching.flight import Flight
from ..caching.replay import replay
from ..clock import Clock
from ..errors import DeadlineExceeded, NotCached, UpstreamError
from ..resilience.deadline import Deadline, Wish
from ..types import NO_WISH, CacheNote, CacheState, CacheWish, Call, Deployment, Handler, Operation, Policy, Reply

_NEVER: frozenset[Operation] = frozenset({"count_tokens"})
_BYPASS = CacheNote(state="bypass")


class Target(Protocol):
    """A public model and where its calls may go."""

    @property
    def name(self) -> str: ...
    @property
    def generation(self) -> bytes: ...


class Targets(Protocol):
    """Finds a model by the name that a client asks for, and a deployment by its own."""

    @property
    def deployments(self) -> Mapping[str, Deployment]: ...

    def find(self, name: str) -> Target: ...


def cache(targets: Targets, known: Cache, rules: CacheRules, clock: Clock, timeout_s: float) -> Policy:
    """Set ``call.fingerprint`` and ``reply.cache``. Raises `NotCached` where nothing but a kept answer was wanted.

    ``timeout_s`` bounds the wait for an identical call.
    """

    def policy(handle: Handler) -> Handler:
        return _CachePolicy(handle, targets, known, rules, clock, timeout_s).answer

    return policy


class _CachePolicy:
    def __init__(
        self, handle: Handler, targets: Targets, known: Cache, rules: CacheRules, clock: Clock, timeout_s: float
    ) -> None:
        self._handle = handle
        self._targets = targets
        assert known.fingerprints is not None
        self._known = known
        self._fingerprints = known.fingerprints
        self._rules = rules
        self._clock = clock
        self._timeout_s = timeout_s

    def answer(self, call: Call) -> Awaitable[Reply]:
        wish = call.cache or NO_WISH
        if call.operation in _NEVER or not (wish.reads or wish.writes):
            return self._pass(call, wish)
        model = self._targets.find(call.view.model)
        call.model = model.name
        call.fingerprint = key = self._fingerprints.of(call, model.generation)
        if key is None:
            return self._pass(call, wish)
        if not wish.reads:
            return self._pass(call, wish) if wish.only else self._fresh(call, key)
        found = self._known.answers.get(key)
        if not (found is None or isinstance(found, bytes)):
            return self._later(call, key, wish, found)
        return self._go(call, key, wish, self._known.read(found))

    async def _later(self, call: Call, key: bytes, wish: CacheWish, found: Awaitable[bytes | None]) -> Reply:
        return await self._go(call, key, wish, self._known.read(await found))

    async def _go(self, call: Call, key: bytes, wish: CacheWish, entry: Entry | None) -> Reply:
        call.looked_up_s = self._clock.monotonic_s()
        if entry is not None:
            now_s = self._clock.now_s()
            age_s = max(now_s - entry.stored_s, 0.0)
            if now_s < entry.fresh_until_s and (wish.max_age_s is None or age_s <= wish.max_age_s):
                return replay(entry, call, self._note("hit", entry, age_s), self._clock.monotonic_s())
        if wish.only:
            raise NotCached("there is no fresh kept answer to this call, and nothing else was wanted (only-if-cached)")
        return await self._ride(call, key)

    async def _pass(self, call: Call, wish: CacheWish) -> Reply:
        if wish.only:
            raise NotCached("this call cannot be answered from the cache, and nothing else was wanted (only-if-cached)")
        reply = await self._handle(call)
        reply.cache = _BYPASS
        return reply

    async def _fresh(self, call: Call, key: bytes) -> Reply:
        """An answer of today for this caller, which others get from now on."""
        flight = self._flight(call, key, found_by_others=False)
        return await flight.ride(call)

    async def _ride(self, call: Call, key: bytes) -> Reply:
        """With an identical call that is under way, or as the first of them."""
        while True:
            flight = self._known.flights.get(key)
            if flight is None:
                return await self._flight(call, key).ride(call)
            try:
                return await flight.ride(call, self._patience_s(call))
            except (UpstreamError, DeadlineExceeded) as error:
                is_impatient = flight.call.timeout_s is not None or flight.call.stage_timeout_s is not None
                if not (is_impatient and flight.has_failed_with(error)):
                    raise
                # perhaps for its own impatience, which is not this one's: on with the next

    def _flight(self, call: Call, key: bytes, *, found_by_others: bool = True) -> Flight:
        flights = self._known.flights

        def gone() -> None:
            if flights.get(key) is flight:
                del flights[key]

        own = copy(call)
        own.dropped = []
        flight = Flight(own, max_bytes=self._rules.max_entry_bytes, keep=self._keep, on_end=gone)
        if found_by_others:
            flights[key] = flight
        flight.start(self._handle)
        return flight

    def _patience_s(self, call: Call) -> float:
        wish = Wish(call.timeout_s, call.stage, call.stage_timeout_s)
        return Deadline.after(call.started_s, self._timeout_s, wish=wish).remaining_s(self._clock.monotonic_s())

    def _keep(self, call: Call, reply: Reply, chunks: list[bytes] | None) -> None:
        """An answer came whole."""
        wish = call.cache or NO_WISH
        key, outcome, deployment = call.fingerprint, reply.outcome, call.deployment
        if not wish.writes or key is None or reply.cached or reply.status != 200 or reply.json_valid is False:
            return
        if deployment is None:
            return
        if (reply.stream is not None and chunks is None) or len(reply.body) > self._rules.max_entry_bytes:
            self._known.too_large += 1
            return
        now_s = self._clock.now_s()
        fresh_until_s = now_s + (wish.ttl_s if wish.ttl_s is not None else self._rules.ttl_s)
        entry = Entry(
            stored_s=now_s,
            fresh_until_s=fresh_until_s,
            body=reply.body,
            chunks=chunks,
            status=reply.status,
            usage=outcome.usage,
            finish_reason=outcome.finish_reason,
            upstream_model=outcome.model,
            upstream_id=outcome.upstream_id,
            output_chars=outcome.output_chars,
            text=outcome.text,
            json_valid=reply.json_valid,
            deployment=deployment.name,
            dropped=call.dropped,
        )
        self._known.keep(call, key, entry, self._rules)

    def _note(self, state: CacheState, entry: Entry, age_s: float) -> CacheNote:
        return CacheNote(state=state, age_s=age_s, deployment=self._targets.deployments.get(entry.deployment))
