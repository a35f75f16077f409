"""The gateway's own spans, derived from a call's row: none of them is made while calls are under way, or stored.

A call is the span of its request (SERVER) over its steps: auth, limits, the look-up in the cache, and each attempt
(CLIENT), the failed ones with why. Steps follow each other from the arrival on, as `CallTimings` says. The ids of steps
are digests of the call's own, so that whoever derives them gets the same. Tokens and cost stand on the request only:
nobody who adds up spans counts them twice.
"""

from collections.abc import Iterator
from hashlib import blake2b

import msgspec

from ...types import SHADOW
from ..record import CACHE, REFUSED, FailedAttemptRecord
from .call_timings import CallTimings, timings_of
from .facts import Facts, Step
from .genai_write import Semconv, attributes_of, operation_name, provider_name, span_name
from .span import Attributes, Span, SpanEvent, SpanKind

SERVICE = "llmops-gateway"
_MS = 1_000_000
_DENIED = frozenset({401, 403})
_STEPS: dict[str, Step] = {"embeddings": "embedding", "count_tokens": "other"}
_WAITED = "shared"


class StoredCall(msgspec.Struct, frozen=True, kw_only=True, gc=False):
    """What of a call's row its spans are made of; the names are those of the columns."""

    request_id: str
    trace_id: str
    span_id: str
    parent_span_id: str | None
    started_at_ms: int
    latency_ms: float
    ttft_ms: float | None
    timings: str | None
    tenant: str | None
    user: str | None
    session: str | None
    key_id: str | None
    operation: str
    model: str
    requested_model: str | None
    provider: str
    deployment: str | None
    upstream_model: str | None
    upstream_id: str | None
    prompt_version: str | None
    release_id: str | None
    status: int
    error_type: str | None
    finish_reason: str | None
    attempts: int | None
    stream: bool
    cache: str | None
    cached: bool
    degraded: str | None
    prompt_tokens: int
    completion_tokens: int
    cached_tokens: int
    cache_write_tokens: int
    reasoning_tokens: int
    cost_nanousd: int | None
    saved_nanousd: int
    tags: str
    rollout_id: str | None = None
    arm: str | None = None
    flags: str | None = None


def facts_of_call(call: StoredCall) -> Facts:
    """What the span of the request says."""
    return Facts(
        convention="genai",
        step=_STEPS.get(call.operation, "llm"),
        operation=operation_name(call.operation),
        provider=provider_name(call.provider),
        model=call.requested_model or call.model,
        response_model=call.upstream_model,
        service=SERVICE,
        session=call.session,
        user=call.user,
        release_id=call.release_id,
        prompt_version=call.prompt_version,
        finish_reason=call.finish_reason,
        input_tokens=call.prompt_tokens,
        output_tokens=call.completion_tokens,
        cached_tokens=call.cached_tokens or None,
        cache_write_tokens=call.cache_write_tokens or None,
        reasoning_tokens=call.reasoning_tokens or None,
        cost_nanousd=call.cost_nanousd,
        ttft_us=round(call.ttft_ms * 1000) if call.ttft_ms is not None else None,
    )


def spans_of_call(call: StoredCall, semconv: Semconv = "1.41") -> list[Span]:
    """The request's span, and those of its steps in their order."""
    return [_request(call, semconv), *_Steps(call).all()]


def step_id(span_id: str, step: str) -> str:
    """The id of the span of a call's step."""
    return blake2b(f"{span_id}/{step}".encode(), digest_size=8).hexdigest()


def _request(call: StoredCall, semconv: Semconv) -> Span:
    facts = facts_of_call(call)
    attributes = attributes_of(facts, semconv)
    more: dict[str, object] = {
        "gen_ai.response.id": call.upstream_id,
        "error.type": call.error_type,
        "http.response.status_code": call.status,
        "llmops.request_id": call.request_id,
        "llmops.tenant": call.tenant,
        "llmops.key_id": call.key_id,
        "llmops.model": call.model if call.model != REFUSED else None,
        "llmops.deployment": call.deployment,
        "llmops.attempts": call.attempts,
        "llmops.cache": call.cache,
        "llmops.saved_nanousd": call.saved_nanousd or None,
        "llmops.degraded": call.degraded,
        "llmops.tags": call.tags if call.tags != "{}" else None,
        "gen_ai.request.stream": call.stream or None,
        "llmops.rollout_id": call.rollout_id,
        "llmops.arm": call.arm,
    }
    attributes.update({name: value for name, value in more.items() if value is not None})
    events = [
        SpanEvent(
            name="feature_flag.evaluation",
            at_ns=call.started_at_ms * _MS,
            attributes={"feature_flag.key": key, "feature_flag.result.variant": variant},
        )
        for key, variant in _flags(call.flags).items()
    ]
    return _span(
        call,
        call.span_id,
        call.parent_span_id,
        span_name(facts) if call.arm != SHADOW else f"{span_name(facts)} ({SHADOW})",
        "server",
        0.0,
        call.latency_ms,
        attributes,
        events=events,
    )


def _flags(text: str | None) -> dict[str, str]:
    """The flags of a call; what is none says nothing."""
    if text is None:
        return {}
    try:
        return msgspec.json.decode(text, type=dict[str, str])
    except (msgspec.DecodeError, UnicodeError, RecursionError):
        return {}


class _Steps:
    """Walks along a call's time: ``_at_ms`` after its arrival is where the next step begins."""

    def __init__(self, call: StoredCall) -> None:
        self._call = call
        self._timings: CallTimings = timings_of(call.timings)
        self._at_ms = self._timings.read or 0.0

    def all(self) -> Iterator[Span]:
        call, timings = self._call, self._timings
        if call.timings is None:
            return
        refused = call.error_type is not None and not call.attempts
        if timings.auth is not None:
            yield self._step("auth", timings.auth)
        elif refused and call.status in _DENIED:
            yield self._step("auth", call.latency_ms - self._at_ms, failed=True)
            return
        if timings.limits is not None:
            yield self._step("limits", timings.limits)
        elif refused:
            yield self._step("limits", call.latency_ms - self._at_ms, failed=True)
            return
        if timings.cache is not None:
            yield self._step("cache", timings.cache, {"llmops.cache": call.cache} if call.cache else {})
            if call.cache == _WAITED:
                yield self._step("wait", (call.ttft_ms or call.latency_ms) - self._at_ms)
        yield from self._attempts()

    def _attempts(self) -> Iterator[Span]:
        call, timings = self._call, self._timings
        for number, attempt in enumerate(timings.failed, 1):
            yield self._failed(number, attempt)
        made = call.attempts or 0
        if timings.upstream is None and (call.error_type is not None or call.cached or made <= len(timings.failed)):
            return
        ended_ms = call.latency_ms if call.stream or call.ttft_ms is None else call.ttft_ms
        took_ms = timings.upstream if timings.upstream is not None else ended_ms - self._at_ms
        attributes = self._attributes(max(made, 1), call.deployment)
        attributes["http.response.status_code"] = 200
        events = []
        if call.stream and call.ttft_ms is not None:
            events.append(SpanEvent(name="first content", at_ns=round((call.started_at_ms + call.ttft_ms) * _MS)))
        yield self._made(
            f"attempt/{len(timings.failed) + 1}",
            f"attempt {call.deployment or call.provider}",
            ended_ms - took_ms,
            took_ms,
            attributes,
            why=call.error_type,
            events=events,
        )

    def _failed(self, number: int, attempt: FailedAttemptRecord) -> Span:
        began_ms = attempt.began_ms if attempt.began_ms is not None else self._at_ms
        self._at_ms = max(self._at_ms, began_ms + attempt.latency_ms)
        attributes = self._attributes(number, attempt.deployment)
        if attempt.status is not None:
            attributes["http.response.status_code"] = attempt.status
        name = f"attempt {attempt.deployment}"
        return self._made(
            f"attempt/{number}", name, began_ms, attempt.latency_ms, attributes, why=attempt.error_type or "unknown"
        )

    def _attributes(self, number: int, deployment: str | None) -> Attributes:
        attributes: Attributes = {"llmops.step": "gateway", "llmops.attempt": number}
        if deployment is not None:
            attributes["llmops.deployment"] = deployment
        if deployment == self._call.deployment and self._call.provider not in (CACHE, REFUSED):
            attributes["gen_ai.provider.name"] = provider_name(self._call.provider)
        return attributes

    def _step(self, name: str, took_ms: float, attributes: Attributes | None = None, *, failed: bool = False) -> Span:
        began_ms = self._at_ms
        self._at_ms += max(took_ms, 0.0)
        attributes = {"llmops.step": "gateway", **(attributes or {})}
        why = self._call.error_type if failed else None
        return self._made(name, name, began_ms, took_ms, attributes, why=why, kind="internal")

    def _made(
        self,
        step: str,
        name: str,
        began_ms: float,
        took_ms: float,
        attributes: Attributes,
        *,
        why: str | None,
        kind: SpanKind = "client",
        events: list[SpanEvent] | None = None,
    ) -> Span:
        """A span inside the request's, whatever the row says."""
        call = self._call
        began_ms = min(max(began_ms, 0.0), call.latency_ms)
        took_ms = min(max(took_ms, 0.0), call.latency_ms - began_ms)
        if why is not None:
            attributes["error.type"] = why
        span_id = step_id(call.span_id, step)
        return _span(call, span_id, call.span_id, name, kind, began_ms, took_ms, attributes, why, events or [])


def _span(
    call: StoredCall,
    span_id: str,
    parent_id: str | None,
    name: str,
    kind: SpanKind,
    began_ms: float,
    took_ms: float,
    attributes: Attributes,
    why: str | None = None,
    events: list[SpanEvent] | None = None,
) -> Span:
    why = why or (call.error_type if span_id == call.span_id else None)
    started_ns = call.started_at_ms * _MS + round(began_ms * _MS)
    return Span(
        trace_id=call.trace_id,
        span_id=span_id,
        parent_id=parent_id,
        name=name,
        kind=kind,
        started_ns=started_ns,
        ended_ns=started_ns + round(max(took_ms, 0.0) * _MS),
        status="unset" if why is None else "error",
        status_message=why or "",
        attributes=attributes,
        events=events or [],
        resource={"service.name": SERVICE},
        scope="llmops",
    )
