"""The semantic cache: a question in other words is answered with what was answered before, where all speaks for it.

It stands inside the exact cache: it is asked on an exact miss, and gives out what the exact cache keeps. A hit is near
enough and agrees in all that similarity does not see (`caching.semantic.agreement`), and with a judge that one says
yes as well. Whatever fails on the way is a miss: calls do not fail for it, and wait for it only so long. Where a
namespace knows no question yet nobody waits: the question is learned after its answer.

Not covered: `only-if-cached` means the exact cache alone, and ends before it gets here.
"""

import asyncio
import inspect
from collections.abc import Awaitable, Mapping
from typing import TYPE_CHECKING, Protocol, Self

from ..caching.cache import Cache, CacheRules
from ..caching.entry import Entry
from ..caching.replay import replay
from ..caching.semantic.agreement import disagreement
from ..caching.semantic.facts import Facts, facts_of
from ..caching.semantic.question import Asked, asked_by
from ..caching.semantic.semantic import Embed, Judge, Known, Semantic, SemanticRules
from ..clock import Clock
from ..errors import LLMOpsError
from ..types import NO_WISH, CacheNote, Call, Deployment, Handler, Policy, Reply, ReplyStream

if TYPE_CHECKING:
    from ..caching.semantic.index import Hit, Vector

_CANDIDATES = 4
"""So many of the nearest are verified."""
_ON_ITS_WAY_S = 5.0
"""So long an answer may take to arrive in a shared store."""
_FAILURES = (LLMOpsError, TimeoutError, ValueError)


class Target(Protocol):
    @property
    def generation(self) -> bytes: ...


class Targets(Protocol):
    """Finds a model by the name that a client asks for, and a deployment by its own."""

    @property
    def deployments(self) -> Mapping[str, Deployment]: ...
    def find(self, name: str) -> Target: ...


def semantic_cache(
    targets: Targets,
    known: Cache,
    semantic: Semantic,
    embed: Embed,
    judge: Judge | None,
    rules: SemanticRules,
    cache_rules: CacheRules,
    clock: Clock,
) -> Policy:
    """Answer from what ``known`` keeps where a question of the same namespace means the same; learn the others."""

    def policy(handle: Handler) -> Handler:
        return _SemanticPolicy(handle, targets, known, semantic, embed, judge, rules, cache_rules, clock).answer

    return policy


class _SemanticPolicy:
    def __init__(
        self,
        handle: Handler,
        targets: Targets,
        known: Cache,
        semantic: Semantic,
        embed: Embed,
        judge: Judge | None,
        rules: SemanticRules,
        cache_rules: CacheRules,
        clock: Clock,
    ) -> None:
        self._handle = handle
        self._targets = targets
        self._known = known
        self._semantic = semantic
        self._embed = embed
        self._judge = judge
        self._rules = rules
        self._cache_rules = cache_rules
        self._clock = clock

    def answer(self, call: Call) -> Awaitable[Reply]:
        fingerprints = self._known.fingerprints
        if call.fingerprint is None or fingerprints is None or not self._rules.takes(call.model or call.view.model):
            return self._handle(call)
        if call.cache_namespace is not None:  # who sets answers apart wants none that were given to other words
            return self._handle(call)
        generation = self._targets.find(call.view.model).generation
        asked = asked_by(call, fingerprints, generation, self._rules.questions)
        if asked is None:
            return self._handle(call)
        return self._answer(call, asked)

    async def _answer(self, call: Call, asked: Asked) -> Reply:
        facts = facts_of(asked.question)
        vector = None
        if (call.cache or NO_WISH).reads and self._semantic.index.holds(asked.namespace):
            counts = self._semantic.counts
            counts.looked_up += 1
            try:
                async with asyncio.timeout(self._rules.timeout_s):
                    vector = await self._embed(call, asked.question)
                found = await self._find(call, asked, facts, vector)
            except _FAILURES as error:
                self._semantic.fail(error)
                found = None
            call.looked_up_s = self._clock.monotonic_s()
            if found is not None:
                counts.hits += 1
                return found
            counts.misses += 1
        reply = await self._handle(call)
        learning = _Learning(self, call, asked, facts, vector)
        if reply.stream is None:
            learning.learn(reply)
        else:
            reply.stream = _LearnedStream(reply.stream, reply, learning)
        return reply

    # --- looking up ---

    async def _find(self, call: Call, asked: Asked, facts: Facts, vector: "Vector") -> Reply | None:
        index, now_s = self._semantic.index, self._clock.now_s()
        hits = index.nearest(asked.namespace, vector, least=self._rules.threshold, most=_CANDIDATES, now_s=now_s)
        for hit in hits:
            if (reason := disagreement(facts, hit.about.facts)) is not None:
                self._refuse(reason.partition(":")[0])
                continue
            entry = await self._read(hit, now_s)
            if entry is None or not self._is_fresh(entry, call, now_s):
                continue
            verified = "rules"
            if self._judge is not None:
                if not await self._is_confirmed(self._judge, call, asked, hit):
                    continue
                verified = "rules and judge"
            note = CacheNote(
                state="semantic",
                age_s=max(now_s - entry.stored_s, 0.0),
                similarity=hit.similarity,
                verified=verified,
                deployment=self._targets.deployments.get(entry.deployment),
            )
            return replay(entry, call, note, self._clock.monotonic_s())
        return None

    async def _read(self, hit: "Hit", now_s: float) -> Entry | None:
        """The kept answer; what is gone from the store is forgotten here."""
        data = self._known.answers.get(hit.key)
        entry = self._known.read(await data if inspect.isawaitable(data) else data)
        if entry is None and now_s - hit.about.since_s > _ON_ITS_WAY_S:
            self._semantic.counts.gone += 1
            self._semantic.index.remove(hit.key)
        return entry

    async def _is_confirmed(self, judge: Judge, call: Call, asked: Asked, hit: "Hit") -> bool:
        if hit.about.text is None:  # learned while there was no judge
            return False
        async with asyncio.timeout(self._rules.judge_timeout_s):
            confirmed = await judge(call, asked.question, hit.about.text)
        if not confirmed:
            self._refuse("judge")
        return confirmed

    def _is_fresh(self, entry: Entry, call: Call, now_s: float) -> bool:
        max_age_s = (call.cache or NO_WISH).max_age_s
        return now_s < entry.fresh_until_s and (max_age_s is None or now_s - entry.stored_s <= max_age_s)

    def _refuse(self, kind: str) -> None:
        self._semantic.counts.refused[kind.partition(" but for")[0]] += 1

    # --- learning ---

    async def learn(self, call: Call, asked: Asked, facts: Facts, vector: "Vector | None") -> None:
        try:
            if vector is None:
                async with asyncio.timeout(self._rules.timeout_s):
                    vector = await self._embed(call, asked.question)
            wish, now_s = call.cache or NO_WISH, self._clock.now_s()
            expires_s = now_s + (wish.ttl_s if wish.ttl_s is not None else self._cache_rules.ttl_s)
            about = Known(facts, asked.question if self._judge is not None else None, now_s)
            assert call.fingerprint is not None
            self._semantic.index.add(asked.namespace, call.fingerprint, vector, about, expires_s=expires_s)
            self._semantic.counts.learned += 1
        except _FAILURES as error:
            self._semantic.fail(error)

    def learn_later(self, call: Call, asked: Asked, facts: Facts, vector: "Vector | None") -> None:
        self._semantic.learn_later(self.learn(call, asked, facts, vector))


class _Learning:
    """A call whose question is remembered if its answer turns out to be one for others."""

    __slots__ = ("_asked", "_call", "_facts", "_policy", "_vector")

    def __init__(
        self, policy: _SemanticPolicy, call: Call, asked: Asked, facts: Facts, vector: "Vector | None"
    ) -> None:
        self._policy = policy
        self._call = call
        self._asked = asked
        self._facts = facts
        self._vector = vector

    def learn(self, reply: Reply) -> None:
        """As the exact cache decides what it keeps; and only a text that came to its own end."""
        wish = self._call.cache or NO_WISH
        if not wish.writes or reply.cached or reply.status != 200 or reply.json_valid is False:
            return
        if reply.outcome.finish_reason == "stop":
            self._policy.learn_later(self._call, self._asked, self._facts, self._vector)


class _LearnedStream:
    """A stream whose question is remembered when it has ended."""

    __slots__ = ("_learning", "_reply", "_stream")

    def __init__(self, stream: ReplyStream, reply: Reply, learning: _Learning) -> None:
        self._stream = stream
        self._reply = reply
        self._learning = learning

    def __aiter__(self) -> Self:
        return self

    async def __anext__(self) -> bytes:
        try:
            return await self._stream.__anext__()
        except StopAsyncIteration:
            self._learning.learn(self._reply)
            raise

    async def aclose(self) -> None:
        await self._stream.aclose()
