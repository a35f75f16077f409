"""The cache of single embeddings: of a call with many inputs only those that are not known go upstream.

It stands inside the exact cache, which knows whole calls; here a corpus of which a page has changed costs that page.
Vectors are kept under the same key as everything else of the call but the other inputs, and are the upstream's bytes.
What is asked twice in one call is asked once. A call whose inputs are all known settles at zero.
"""

import inspect
from collections.abc import Awaitable, Mapping, Sequence
from typing import Protocol

from ..caching.cache import Cache, CacheRules
from ..caching.entry import Entry
from ..clock import Clock
from ..dialects.embedding_parts import join_vectors, split_inputs, split_vectors, with_inputs
from ..types import NO_WISH, CacheNote, Call, Deployment, Handler, Outcome, Policy, Reply, Usage


class Target(Protocol):
    @property
    def generation(self) -> bytes: ...


class Targets(Protocol):
    """Finds a model by the name that a client asks for, and a deployment by its own."""

    @property
    def deployments(self) -> Mapping[str, Deployment]: ...
    def find(self, name: str) -> Target: ...


def embedding_cache(targets: Targets, known: Cache, rules: CacheRules, clock: Clock) -> Policy:
    """Answer embeddings calls from kept vectors as far as they go; everything else passes."""

    def policy(handle: Handler) -> Handler:
        def embedded(call: Call) -> Awaitable[Reply]:
            if call.operation != "embeddings" or call.fingerprint is None or not (call.cache or NO_WISH).reads:
                return handle(call)
            return _Embedding(call, targets, known, rules, clock).answer(handle)

        return embedded

    return policy


class _Embedding:
    """One call."""

    def __init__(self, call: Call, targets: Targets, known: Cache, rules: CacheRules, clock: Clock) -> None:
        assert known.fingerprints is not None
        self._call = call
        self._known = known
        self._rules = rules
        self._clock = clock
        self._targets = targets
        generation = targets.find(call.view.model).generation
        inputs = split_inputs(call.body)
        self._keys = known.fingerprints.of_inputs(call, generation, inputs)
        self._inputs = dict(zip(self._keys, inputs, strict=True))

    async def answer(self, handle: Handler) -> Reply:
        entries = await self._find()
        missing = [key for key in self._inputs if key not in entries]
        if not missing:
            return self._from(entries)
        reply = await self._ask(handle, missing)
        vectors = dict(zip(missing, split_vectors(reply.body, len(missing)), strict=True))
        self._keep(vectors, reply)
        if entries:
            vectors |= {key: entry.body for key, entry in entries.items()}
            reply.cache = CacheNote(state="partial")
        if len(missing) < len(self._keys):
            model = reply.outcome.model or self._call.view.model
            reply.body = join_vectors([vectors[key] for key in self._keys], model, reply.outcome.usage.prompt)
        return reply

    async def _find(self) -> dict[bytes, Entry]:
        """What is known and fresh. All look-ups go off before the first is waited for."""
        asked = {key: self._known.answers.get(key) for key in self._inputs}
        now_s, found = self._clock.now_s(), {}
        max_age_s = (self._call.cache or NO_WISH).max_age_s
        for key, data in asked.items():
            entry = self._known.read(await data if inspect.isawaitable(data) else data)
            if entry is not None and now_s < entry.fresh_until_s:
                if max_age_s is None or now_s - entry.stored_s <= max_age_s:
                    found[key] = entry
        return found

    async def _ask(self, handle: Handler, missing: Sequence[bytes]) -> Reply:
        call = self._call
        if len(missing) == len(self._keys):
            return await handle(call)
        whole = call.body
        call.body = with_inputs(whole, [self._inputs[key] for key in missing])
        try:
            return await handle(call)
        finally:
            call.body = whole

    def _from(self, entries: dict[bytes, Entry]) -> Reply:
        now_s = self._clock.now_s()
        parts = [entries[key] for key in self._keys]
        model = parts[0].upstream_model or self._call.view.model
        prompt = sum(part.usage.prompt for part in parts)
        note = CacheNote(
            state="hit",
            age_s=max(0.0, *(now_s - part.stored_s for part in parts)),
            deployment=self._targets.deployments.get(parts[0].deployment),
        )
        return Reply(
            body=join_vectors([part.body for part in parts], model, prompt),
            outcome=Outcome(usage=Usage(prompt=prompt), model=model, first_content_s=self._clock.monotonic_s()),
            cached=True,
            cache=note,
        )

    def _keep(self, vectors: dict[bytes, bytes], reply: Reply) -> None:
        call, wish = self._call, self._call.cache or NO_WISH
        if not wish.writes or call.deployment is None:
            return
        now_s = self._clock.now_s()
        fresh_until_s = now_s + (wish.ttl_s if wish.ttl_s is not None else self._rules.ttl_s)
        size = sum(len(self._inputs[key]) for key in vectors)
        for key, vector in vectors.items():
            entry = Entry(
                stored_s=now_s,
                fresh_until_s=fresh_until_s,
                body=vector,
                usage=Usage(prompt=round(reply.outcome.usage.prompt * len(self._inputs[key]) / size)),
                upstream_model=reply.outcome.model,
                deployment=call.deployment.name,
            )
            self._known.keep(call, key, entry, self._rules)
