"""The composition root of the pipeline: the order of the policies and the parts that they share.

`Stack` is the pipeline without a server (CLI, evals, scripts); `assembly` puts HTTP and background work around it.
"""

import os
import random
from collections.abc import Awaitable, Callable
from types import TracebackType
from typing import TYPE_CHECKING, Any, Self

import msgspec

from .caching.cache import Cache
from .caching.fingerprint import Fingerprints
from .caching.retrieval import RetrievalCache
from .clock import Clock, Ids, SystemClock
from .deployments import build_models, build_prices
from .dialects.registry import CONVERSATIONAL, DIALECTS
from .errors import ConfigError
from .gateway.intake import arrive
from .identity.keyring import Keyring
from .monitoring.slo.objectives import objectives_of
from .opening import (
    build_rules,
    cache_rules,
    open_local_answers,
    open_pepper,
    open_prompts,
    open_request_log,
    open_sandbox,
    open_shared_answers,
    open_shared_counters,
    open_tokens,
    probe_rules,
    prompt_caps,
    prompt_fallback,
    prompt_selector,
    redactor_of,
    resilience_rules,
)
from .policies.auth import auth
from .policies.cache import cache
from .policies.capture import capture
from .policies.embedding_cache import embedding_cache
from .policies.last_resorts import last_resorts
from .policies.limits import limits
from .policies.probing import TAG, TENANT, OneModel, probe_body, probing
from .policies.prompting import prompting
from .policies.recording import recording
from .policies.releasing import releasing
from .policies.resilience import resilience
from .policies.routing import Model, ModelTable, provider_call, routing
from .policies.stamping import stamping
from .policies.structured_output import structured_output
from .prompts.hot import HotPrompts
from .providers.transport import Transport
from .releases.table import ReleaseTable, pinned
from .resilience.fleet import Fleet
from .rollout.mirror import NoPrice
from .settings import Settings, masked
from .spend.desk import Desk
from .spend.price_book import PriceBook
from .store.answers.local import LocalAnswers
from .store.database import Database
from .telemetry.current_span import current_traceparent
from .telemetry.export.destination import destinations_of
from .telemetry.metrics import Metrics
from .telemetry.request_log import RequestLog
from .types import SHADOW, Assignment, Call, Deployment, Handler, Operation, Policy, Reply, shadow_key
from .version import __version__

if TYPE_CHECKING:
    from .identity.jwt import TokenVerifier
    from .store.answers.redis import RedisAnswers
    from .store.counters.redis import RedisCounters


def policies(settings: Settings, parts: "Parts", table: ModelTable) -> list[Policy]:
    """The policies of the pipeline, outermost first: this list, in this order, and nothing else decides it.

    Later ones take their places here: guardrails before the cache. Calls made in-process need no
    key: ``parts.keyring`` is then None.
    """
    return [
        stamping(settings.prompts.version),
        recording(parts.desk.ledger, parts.clock),
        *([auth(parts.keyring, parts.clock, parts.tokens)] if parts.keyring is not None else []),
        prompting(parts.prompts, DIALECTS, prompt_selector(settings), prompt_fallback(settings), prompt_caps(settings)),
        *([releasing(parts.releases, DIALECTS)] if parts.releases is not None else []),
        *capturing(settings),
        limits(table, parts.desk.admission),
        last_resorts(
            {model.name: model.last_resorts for model in table.models},
            parts.cache if settings.cache.enabled else None,
            table.deployments,
            CONVERSATIONAL,
            parts.clock,
            settings.llm.timeout_seconds,
        ),
        *(
            [
                cache(table, parts.cache, cache_rules(settings), parts.clock, settings.llm.timeout_seconds),
                embedding_cache(table, parts.cache, cache_rules(settings), parts.clock),
                *_semantic(settings, parts, table),
            ]
            if settings.cache.enabled
            else []
        ),
        structured_output(settings.llm.json_repair_attempts),
        _attempting(settings, parts, table),
    ]


def _attempting(settings: Settings, parts: "Parts", table: ModelTable) -> Policy:
    """Where a call goes, and where next."""
    if not settings.resilience.enabled:
        return routing(table, parts.luck)
    return resilience(table, parts.fleet, parts.clock, parts.luck, settings.llm.timeout_seconds)


def capturing(settings: Settings) -> list[Policy]:
    """Keeping texts, where anybody's are kept."""
    section = settings.traces.capture
    if settings.log.capture_messages:
        return [capture(lambda _tenant: 1.0)]
    anybody = section.share > 0 or any(each.share > 0 for each in section.tenants.values())
    return [capture(section.share_of)] if anybody else []


def _semantic(settings: Settings, parts: "Parts", table: ModelTable) -> list[Policy]:
    """The semantic cache, where it is switched on. What it asks for itself are calls of the caller's tenant, without
    the policies that speak to a client."""
    section, semantic = settings.cache.semantic, parts.cache.semantic
    if not section.enabled or semantic is None:
        return []
    from .caching.semantic.asking import embedding_by, judging_by
    from .caching.semantic.opening import semantic_rules
    from .policies.semantic_cache import semantic_cache

    handle = limits(table, parts.desk.admission)(_attempting(settings, parts, table)(provider_call))
    handle = recording(parts.desk.ledger, parts.clock)(handle)

    def ask(cause: Call, operation: Operation, body: bytes) -> Awaitable[Reply]:
        return handle(errand(cause, operation, body, parts))

    embed = semantic.embed or embedding_by(ask, section.embeddings_model or "")
    judge = judging_by(ask, section.judge_model) if section.judge_model is not None else None
    rules = semantic_rules(section)
    return [semantic_cache(table, parts.cache, semantic, embed, judge, rules, cache_rules(settings), parts.clock)]


def copying(settings: Settings, parts: "Parts", table: ModelTable) -> list[Policy]:
    """The policies of a shadow's copies, outermost first: nobody waits for one, so nothing is done for a client."""
    return [
        recording(parts.desk.ledger, parts.clock),
        *([releasing(parts.releases, DIALECTS)] if parts.releases is not None else []),
        *capturing(settings),
        limits(table, parts.desk.admission),
        structured_output(settings.llm.json_repair_attempts),
        _attempting(settings, parts, table),
    ]


def copy_of(cause: Call, name: str, assignment: Assignment, parts: "Parts") -> Call:
    """What a call asked of ``name``, asked of its shadow's candidate: nobody's own, but of its tenant and trace."""
    fields = msgspec.json.decode(cause.body, type=dict[str, msgspec.Raw])
    fields["model"] = msgspec.Raw(msgspec.json.encode(pinned(name, assignment.mirror or "")))
    call = errand(cause, cause.operation, msgspec.json.encode(fields), parts)
    call.key_id, call.view.user = shadow_key(assignment.rollout_id), None
    call.rollout_id, call.arm, call.probability = assignment.rollout_id, SHADOW, assignment.probability
    call.priority, call.may_degrade = "low", False
    call.allow_dropped, call.timeout_s = cause.allow_dropped, cause.timeout_s
    call.knowledge, call.named_prompt, call.flags = cause.knowledge, cause.named_prompt, cause.flags
    return call


def errand(cause: Call, operation: Operation, body: bytes, parts: "Parts") -> Call:
    """A call that the gateway makes on behalf of another: the same tenant's, in the same trace."""
    return Call(
        operation=operation,
        body=body,
        view=DIALECTS[operation].view(body),
        request_id=parts.ids.request_id(),
        trace_id=cause.trace_id,
        span_id=parts.ids.span_id(),
        parent_span_id=cause.span_id,
        trace_flags=cause.trace_flags,
        tracestate=cause.tracestate,
        started_at_s=parts.clock.now_s(),
        started_s=parts.clock.monotonic_s(),
        tenant=cause.tenant,
        key_id=cause.key_id,
        prompt_version=cause.prompt_version,
        release_id=cause.release_id,
        tags=cause.tags,
        priority=cause.priority,
    )


class Parts(msgspec.Struct, frozen=True, kw_only=True):
    """What outlives a reload: clocks, log, metrics, connections, keys, counts and what is open in the ledger."""

    clock: Clock
    ids: Ids
    luck: random.Random
    log: RequestLog
    desk: Desk
    fleet: Fleet
    cache: Cache
    prompts: HotPrompts
    metrics: Metrics
    transport: Transport
    keyring: Keyring | None
    tokens: "TokenVerifier | None"
    shared_counters: "RedisCounters | None"
    """The desk's counters, where they are in Redis."""
    shared_answers: "RedisAnswers | None"
    """The cache's answers, where they are in Redis."""
    releases: ReleaseTable | None = None
    """None where names are not released."""


class Stack:
    """The whole pipeline in-process::

        async with Stack(load_settings()) as stack:
            reply = await stack.call("chat", {"model": "mock", "messages": [{"role": "user", "content": "Hi"}]})

    Every call is recorded in the request log as one over HTTP would be.
    """

    def __init__(
        self,
        settings: Settings,
        *,
        clock: Clock | None = None,
        seed: int | None = None,
        keyring: Keyring | None = None,
        tokens: "TokenVerifier | None" = None,
        releases: ReleaseTable | None = None,
        prompts: HotPrompts | None = None,
    ) -> None:
        """``seed`` fixes identifiers and the luck of weighted routing; with a ``keyring`` calls need a key, or one of
        the ``tokens``; calls for the names of ``releases`` get what is live there.
        ``prompts`` stay the caller's; without them it looks into the database when a call names one."""
        clock = clock or SystemClock()
        metrics = Metrics()
        log = open_request_log(settings, clock, metrics)
        prices = build_prices(settings)
        shared_counters = open_shared_counters(settings, clock)
        shared_answers = open_shared_answers(settings, clock)
        self.settings = settings
        probe_rules(settings)
        self._closing: list[Callable[[], None]] = []
        self.parts = Parts(
            clock=clock,
            ids=Ids(seed),
            luck=random.Random(seed),
            metrics=metrics,
            transport=Transport(),
            log=log,
            desk=Desk(
                log,
                clock,
                prices,
                counters=shared_counters,
                rules=build_rules(settings),
                assumed_output_tokens=settings.limits.assumed_output_tokens,
                journal=settings.ledger.enabled,
                when_unwritable=settings.ledger.when_unwritable,
                queue=settings.limits.queue,
            ),
            fleet=Fleet(),
            cache=Cache(shared_answers or open_local_answers(settings, clock)),
            prompts=prompts or self._open_prompts(settings, clock),
            keyring=keyring,
            tokens=tokens,
            shared_counters=shared_counters,
            shared_answers=shared_answers,
            releases=releases,
        )
        if releases is not None:
            releases.renderer = self.parts.prompts
        if shared_answers is not None:
            shared_answers.on_words = self.parts.cache.let_off
        self.table = ModelTable(build_models(settings, clock, self.parts.transport))
        self._set_out(settings, self.table, prices)
        self._open_cache(settings, self.table)
        self.handler = self._pipeline(policies(settings, self.parts, self.table))
        self._copies = self._pipeline(copying(settings, self.parts, self.table))

    def reload(self, settings: Settings) -> list[str]:
        """Take other settings for the calls to come; calls under way end under the old ones.

        Returns what needs a restart to take effect. Raises `ConfigError`, and changes nothing, for unusable settings.
        """
        rules = build_rules(settings)
        probe_rules(settings)
        table = ModelTable(build_models(settings, self.parts.clock, self.parts.transport))
        prices = build_prices(settings)
        self._open_cache(settings, table)
        self._set_out(settings, table, prices)
        self.parts.log.redactor = redactor_of(settings)
        self.parts.desk.reload(prices, rules, settings.limits.queue)
        self.parts.desk.lengths.assumed = settings.limits.assumed_output_tokens
        handler = self._pipeline(policies(settings, self.parts, table))
        self._copies = self._pipeline(copying(settings, self.parts, table))
        old, self.settings, self.table, self.handler = self.settings, settings, table, handler
        kept = [("server", name) for name in ("host", "port", "workers", "drain_seconds", "drain_delay_seconds")]
        for section in ("log", "database", "auth", "ledger", "redis"):
            kept += [(section, name) for name in type(getattr(settings, section)).model_fields]
        return [
            f"{section}.{name} has changed and takes effect after a restart"
            for section, name in kept
            if getattr(getattr(old, section), name) != getattr(getattr(settings, section), name)
        ]

    def _open_prompts(self, settings: Settings, clock: Clock) -> HotPrompts:
        database, sandbox = Database(settings.database.url), open_sandbox(settings)
        self._closing += [database.close, sandbox.close]
        return open_prompts(settings, clock, database, sandbox)

    def _set_out(self, settings: Settings, table: ModelTable, prices: PriceBook) -> None:
        clock = self.parts.clock

        def price_of(deployment: Deployment) -> float | None:
            price = prices.find(deployment, deployment.model or "", clock.now_s())
            return price.estimate(1000, 1000) if price is not None else None

        self.parts.fleet.set_out(table.models, resilience_rules(settings), clock.monotonic_s(), price_of)
        self.parts.metrics.set_objectives(objectives_of(settings.slos))
        self.parts.prompts.caps = prompt_caps(settings)

    def _open_cache(self, settings: Settings, table: ModelTable) -> None:
        known = self.parts.cache
        if settings.cache.semantic.enabled:
            from .caching.semantic.opening import open_semantic

            section, enabled = settings.cache.semantic, settings.cache.enabled
            known.semantic = open_semantic(section, known.semantic, cache_enabled=enabled, find=table.find)
        if settings.cache.enabled and known.fingerprints is None:
            known.fingerprints = Fingerprints(open_pepper(settings, Database(settings.database.url).folder)[:64])
        if isinstance(known.answers, LocalAnswers):
            known.answers.max_entries = settings.cache.max_entries
            known.answers.max_bytes = settings.cache.max_megabytes * 1_000_000

    @staticmethod
    def _pipeline(policies: list[Policy]) -> Handler:
        handler: Handler = provider_call
        for policy in reversed(policies):
            handler = policy(handler)
        return handler

    async def call(
        self,
        operation: Operation,
        body: dict[str, Any] | bytes,
        *,
        traceparent: str | None = None,
        allow_dropped: bool = False,
    ) -> Reply:
        """Run one call, in the wire form of its operation; raises the `LLMOpsError` that a server would answer with.

        Without a ``traceparent`` it belongs to the step (`llmops.tracing`) or span that it is made in.
        """
        raw = body if isinstance(body, bytes) else msgspec.json.encode(body)
        return await self.handler(self.arrive(operation, raw, traceparent, allow_dropped=allow_dropped))

    def arrive(self, operation: Operation, raw: bytes, traceparent: str | None = None, **fields: Any) -> Call:
        """A call for ``handler``, with these of its fields set."""
        traceparent = traceparent or current_traceparent()
        headers = {b"traceparent": traceparent.encode("latin-1", "replace")} if traceparent else {}
        return self._arrive(operation, raw, headers, **fields)

    async def mirrored(self, cause: Call, name: str, assignment: Assignment) -> Reply:
        """Ask the candidate of a shadow what ``cause`` asked of a released name. Raises the copy's error, and `NoPrice`
        where no budget could hold it."""
        call = copy_of(cause, name, assignment, self.parts)
        found = self.parts.releases.find(call.view.model, call.tenant) if self.parts.releases is not None else None
        if found is not None:
            prices, model = self.parts.desk.ledger.prices, found.bundle.model
            for deployment in self.table.find(model).deployments:
                if prices.find(deployment, model, call.started_at_s) is None:
                    raise NoPrice(f"the price of {deployment.name!r} is not known; say it under `prices`")
        return await self._copies(call)

    async def probe(self, model: str, deployment: str) -> None:
        """Ask one deployment of a model for one token; recorded, limited and charged as every call is, and its breaker
        learns of it. Raises the call's error."""
        parts, lane = self.parts, self.parts.fleet.lanes[model]
        target, candidate = lane.deployments[deployment], lane.candidates[deployment]
        body = probe_body(target.upstream_model(model))
        call = self._arrive("chat", body, {}, tenant=TENANT, tags={TAG: "true"}, priority="low")
        patience_s = self.settings.resilience.probes.timeout_seconds
        handler = probing(target, candidate, parts.clock, parts.luck, patience_s)(provider_call)
        handler = limits(OneModel(name=model, deployments=(target,)), parts.desk.admission)(handler)
        await recording(parts.desk.ledger, parts.clock)(handler)(call)

    def _arrive(self, operation: Operation, raw: bytes, headers: dict[bytes, bytes], **fields: Any) -> Call:
        arrival = arrive(headers, self.parts.clock, self.parts.ids)
        return Call(
            operation=operation,
            body=raw,
            view=DIALECTS[operation].view(raw),
            request_id=arrival.request_id,
            trace_id=arrival.trace_id,
            span_id=arrival.span_id,
            parent_span_id=arrival.parent_span_id,
            trace_flags=arrival.trace_flags,
            started_at_s=arrival.started_at_s,
            started_s=arrival.started_s,
            **fields,
        )

    @property
    def retrieval(self) -> RetrievalCache:
        """The cache of what searches found; `ConfigError` where ``cache.enabled`` is off."""
        known = self.parts.cache
        if not self.settings.cache.enabled or known.fingerprints is None:
            raise ConfigError(["cache.enabled: false: what is found is not kept; switch the cache on"])
        if known.retrieval is None:
            ttl_s = self.settings.cache.ttl_seconds
            known.retrieval = RetrievalCache(known.answers, known.fingerprints, self.parts.clock, ttl_s)
        return known.retrieval

    async def aclose(self) -> None:
        """Flush the log and close every connection."""
        if self.parts.cache.semantic is not None:
            await self.parts.cache.semantic.aclose()
        await self.parts.desk.usher.aclose()
        await self.parts.log.aclose()
        if self.parts.shared_counters is not None:
            await self.parts.shared_counters.aclose()  # what they have been told the journal need not keep
        if self.parts.shared_answers is not None:
            await self.parts.shared_answers.aclose()
        self.parts.desk.ledger.close()
        await self.parts.transport.aclose()
        for close in self._closing:
            close()

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, exc: BaseException | None, trace: TracebackType | None
    ) -> None:
        await self.aclose()

    # --- what the control plane shows ---

    def status(self) -> dict[str, Any]:
        log, ledger = self.parts.log, self.parts.desk.ledger
        return {
            "version": __version__,
            "in_flight": self.parts.metrics.in_flight,
            "ledger": {"open": ledger.open, "unwritten": ledger.unwritten, "failing": ledger.unwritable},
            "upstream_connections": self.parts.transport.open_connections,
            "log": {"written": log.written, "waiting": log.waiting, "dropped": log.dropped, "failing": log.failing},
        }

    def models(self) -> list[dict[str, Any]]:
        return [
            {
                "name": model.name,
                "strategy": model.strategy,
                "last_resorts": [resort.label for resort in model.last_resorts],
                "deployments": [
                    {
                        "name": deployment.name,
                        "provider": deployment.provider.name,
                        "model": deployment.model,
                        "base_url": deployment.base_url,
                        "weight": deployment.weight,
                        "has_secret": deployment.has_secret,
                    }
                    for deployment in model.deployments
                ],
            }
            for model in self.table.models
        ]

    def deployments(self) -> list[dict[str, Any]]:
        return self.parts.fleet.shown(self.parts.clock.monotonic_s())

    def table_names(self) -> list[str]:
        return [model.name for model in self.table.models]

    def config(self) -> dict[str, Any]:
        return masked(self.settings)

    def degradations(self) -> list[str]:
        log = self.parts.log
        problems = [f"the request log cannot be written: {log.failing}"] if log.failing else []
        if self.parts.desk.ledger.unwritable:
            problems.append(f"the ledger's journal cannot be written: {self.parts.desk.ledger.unwritable}")
        problems += self.parts.fleet.problems(self.parts.clock.monotonic_s())
        return problems + ([f"{log.dropped} log records were lost"] if log.dropped else [])


def check(settings: Settings) -> list[Model]:
    """The models as these settings describe them, or a `ConfigError` for what cannot be used of them or of the token
    issuers' files; connects to nothing."""
    open_tokens(settings, Keyring(b""))
    build_rules(settings)
    probe_rules(settings)
    destinations_of(settings.exports, os.environ)
    models = build_models(settings, SystemClock(), Transport())
    if settings.cache.semantic.enabled:
        from .caching.semantic.opening import check_semantic

        check_semantic(settings.cache.semantic, cache_enabled=settings.cache.enabled, find=ModelTable(models).find)
    return models
