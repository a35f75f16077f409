"""One line of the request log: what happened to one call, without a word of what was said in it.

A `FinishedCall` is what the hot path leaves behind; turning it into a `CallRecord` (hashing, formatting) is the log
writer's work.
"""

import hashlib
from datetime import UTC, datetime
from functools import lru_cache

import msgspec

from ..errors import LLMOpsError
from ..tokens import estimate_tokens
from ..types import Call, FailedAttempt, MessageView, Reply, Usage
from .redaction import Redactor

MAX_TOKENS = 10**9
"""More in one call is nobody's count: no window is a hundredth as large, and sums of such numbers fit nowhere."""

CACHE = "cache"
"""Provider label of an answer for which nothing was asked of one."""

REFUSED = "none"
"""Provider and model label of a request that never reached one."""


class TokenUsage(msgspec.Struct, frozen=True, kw_only=True, gc=False):
    prompt: int
    completion: int
    total: int
    cached: int
    cache_write: int
    reasoning: int
    source: str


class MaskedMessage(msgspec.Struct, frozen=True, omit_defaults=True, gc=False):
    role: str
    content_hash: str
    content_length: int
    content: str | None = None
    """Only where it is captured, and redacted."""


class FailedAttemptRecord(msgspec.Struct, frozen=True, kw_only=True, gc=False):
    deployment: str
    error_type: str
    status: int | None
    latency_ms: float
    began_ms: float | None = None
    """After the request's arrival; earlier versions did not say it."""


class Timings(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True, gc=False):
    """How long the steps of a call took, one after the other from its arrival on, in milliseconds. None: it did not
    come to that step's end. ``upstream`` is the attempt that succeeded, until its answer was whole, or the stream's
    end."""

    read: float | None = None
    auth: float | None = None
    limits: float | None = None
    cache: float | None = None
    upstream: float | None = None


_NO_TOKENS = TokenUsage(prompt=0, completion=0, total=0, cached=0, cache_write=0, reasoning=0, source="none")


class CallRecord(msgspec.Struct, frozen=True, kw_only=True, gc=False):
    """Field by field in ``docs/reference/request-log.md``. Times in milliseconds, ``timestamp`` in UTC."""

    timestamp: str
    request_id: str
    trace_id: str
    span_id: str
    parent_span_id: str | None = None
    tenant: str
    key_id: str | None = None
    operation: str
    provider: str
    model: str
    requested_model: str | None = None
    deployment: str | None = None
    upstream_model: str | None = None
    upstream_id: str | None = None
    latency_ms: float
    ttft_ms: float | None = None
    token_usage: TokenUsage
    error_type: str | None = None
    finish_reason: str | None = None
    prompt_version: str | None = None
    release_id: str | None = None
    rollout_id: str | msgspec.UnsetType = msgspec.UNSET
    arm: str | msgspec.UnsetType = msgspec.UNSET
    probability: float | msgspec.UnsetType = msgspec.UNSET
    """These three are left out where no rollout assigned the call."""
    flags: dict[str, str] | msgspec.UnsetType = msgspec.UNSET
    """Left out where there are none."""
    attempts: int = 0
    failed_attempts: list[FailedAttemptRecord] | msgspec.UnsetType = msgspec.UNSET
    """Left out where there are none."""
    degraded: str | None = None
    timings_ms: Timings | msgspec.UnsetType = msgspec.UNSET
    """Left out where nothing is known of them."""
    cached: bool = False
    cache: str | None = None
    similarity: float | None = None
    saved_nanousd: int = 0
    json_valid: bool | None = None
    status: int
    stream: bool = False
    user: str | None = None
    session: str | None = None
    tags: dict[str, str] = {}
    cost_nanousd: int | None = 0
    reserved_nanousd: int | None = 0
    limits_over: list[str] = []
    recovered: bool = False
    dropped_parameters: list[str] = []
    messages_masked: list[MaskedMessage] = []
    output: str | msgspec.UnsetType = msgspec.UNSET
    """The first choice's text, redacted, only where it is captured."""


class Charge(msgspec.Struct, frozen=True, kw_only=True, gc=False):
    """What a call is charged: the tokens it is taken to have used, and money in nano-dollars.

    None instead of an amount: the model has no known price. ``over`` names limits in shadow mode that would have
    refused the call, and soft budgets that are used up.
    """

    usage: Usage
    cost_nanousd: int | None
    reserved_nanousd: int | None
    saved_nanousd: int = 0
    """What the answer would have cost, had it not been there already."""
    over: tuple[str, ...] = ()


class FinishedCall(msgspec.Struct, kw_only=True):
    """A call that has ended, one way or the other. ``error`` is what ended it early; without a ``charge`` the call
    went through no ledger."""

    call: Call
    reply: Reply | None = None
    error: LLMOpsError | None = None
    charge: Charge | None = None
    ended_s: float


class RefusedRequest(msgspec.Struct, kw_only=True):
    """A request that was turned away before it became a call."""

    request_id: str
    trace_id: str
    span_id: str
    parent_span_id: str | None
    operation: str
    error: LLMOpsError
    started_at_s: float
    latency_s: float


def record_of_refused(refused: RefusedRequest) -> CallRecord:
    return CallRecord(
        timestamp=timestamp(refused.started_at_s),
        request_id=refused.request_id,
        trace_id=refused.trace_id,
        span_id=refused.span_id,
        parent_span_id=refused.parent_span_id,
        tenant="default",
        operation=refused.operation,
        provider=REFUSED,
        model=REFUSED,
        latency_ms=_ms(refused.latency_s),
        token_usage=_NO_TOKENS,
        error_type=refused.error.code,
        status=refused.error.status,
    )


def record_of(finished: FinishedCall, hash_key: bytes, *, redactor: Redactor | None = None) -> CallRecord:
    """The record of a finished call. ``hash_key`` keys the content hashes, so that short texts cannot be guessed. With
    a ``redactor`` texts are captured, as far as it lets them."""
    call, reply, error = finished.call, finished.reply, finished.error
    outcome = reply.outcome if reply is not None else None
    status = error.status if error is not None else reply.status if reply is not None else 200
    deployment = call.deployment
    first_s = outcome.first_content_s if outcome is not None else None
    note = reply.cache if reply is not None else None
    cached = note is not None and reply is not None and reply.cached  # a template is not, though nothing was asked
    charge = finished.charge or Charge(usage=usage_of(finished), cost_nanousd=0, reserved_nanousd=0)
    return CallRecord(
        timestamp=timestamp(call.started_at_s),
        request_id=call.request_id,
        trace_id=call.trace_id,
        span_id=call.span_id,
        parent_span_id=call.parent_span_id,
        tenant=call.tenant,
        key_id=call.key_id,
        operation=call.operation,
        provider=deployment.provider.name if deployment is not None else CACHE if cached else REFUSED,
        model=call.model or REFUSED,
        requested_model=(call.asked or call.view.model)[:256],
        deployment=deployment.name if deployment is not None else None,
        upstream_model=outcome.model if outcome is not None else None,
        upstream_id=outcome.upstream_id if outcome is not None else None,
        latency_ms=_ms(finished.ended_s - call.started_s),
        ttft_ms=_ms(first_s - call.started_s) if first_s is not None else None,
        token_usage=token_usage(charge.usage),
        error_type=error.code if error is not None else None,
        finish_reason=outcome.finish_reason if outcome is not None else None,
        prompt_version=call.prompt_version,
        release_id=call.release_id,
        rollout_id=call.rollout_id if call.rollout_id is not None else msgspec.UNSET,
        arm=call.arm if call.arm is not None else msgspec.UNSET,
        probability=call.probability if call.probability is not None else msgspec.UNSET,
        flags=call.flags or msgspec.UNSET,
        attempts=call.attempts,
        failed_attempts=[_failed_attempt(each, call) for each in call.failed] if call.failed else msgspec.UNSET,
        degraded=call.degraded,
        timings_ms=_timings(finished, first_s) if call.entered_s else msgspec.UNSET,
        cached=cached,
        cache=note.state if note is not None else None,
        similarity=round(note.similarity, 4) if note is not None and note.similarity is not None else None,
        saved_nanousd=charge.saved_nanousd,
        json_valid=reply.json_valid if reply is not None else None,
        status=status,
        stream=call.view.stream,
        user=call.view.user[:256] if call.view.user else None,
        session=call.session,
        tags=call.tags,
        cost_nanousd=charge.cost_nanousd,
        reserved_nanousd=charge.reserved_nanousd,
        limits_over=list(charge.over),
        dropped_parameters=call.dropped,
        messages_masked=[_masked(message, hash_key, redactor) for message in call.view.messages],
        output=redactor.text(outcome.text) if redactor and outcome and outcome.text else msgspec.UNSET,
    )


def _timings(finished: FinishedCall, first_s: float | None) -> Timings:
    call = finished.call
    entered_s = before_s = call.entered_s
    auth = limits = cache = upstream = None
    if call.authorised_s:
        auth, before_s = round((call.authorised_s - before_s) * 1000, 3), call.authorised_s
    if call.admitted_s:
        limits, before_s = round((call.admitted_s - before_s) * 1000, 3), call.admitted_s
    if call.looked_up_s:
        cache = round((call.looked_up_s - before_s) * 1000, 3)
    if call.attempted_s and call.attempts > (call.failed[-1].number if call.failed else 0):
        ended_s = first_s if first_s is not None and not call.view.stream else finished.ended_s
        upstream = _ms(max(ended_s - max(call.attempted_s, call.started_s), 0.0))
    return Timings(read=_ms(entered_s - call.started_s), auth=auth, limits=limits, cache=cache, upstream=upstream)


def _failed_attempt(attempt: FailedAttempt, call: Call) -> FailedAttemptRecord:
    return FailedAttemptRecord(
        deployment=attempt.deployment,
        error_type=attempt.error_type,
        status=attempt.status,
        latency_ms=_ms(attempt.latency_s),
        began_ms=_ms(max(attempt.began_s - call.started_s, 0.0)) if attempt.began_s else None,
    )


def usage_of(finished: FinishedCall, prompt_tokens: int | None = None) -> Usage:
    """The provider's count; an estimate of what went in and came out where it reported none, or nothing credible.

    ``prompt_tokens`` is what was estimated before the call.

    A stream that was cut may have reported its input and not its output: what was seen is then the least that counts.
    """
    call, reply = finished.call, finished.reply
    if reply is None or reply.cached or call.operation == "count_tokens":
        return Usage(source="none")
    return answered(call, reply, prompt_tokens)


def answered(call: Call, reply: Reply, prompt_tokens: int | None = None) -> Usage:
    """What the answer took, whoever paid for it."""
    usage = reply.outcome.usage
    credible = _is_credible(usage) and (usage.total > 0 or not reply.outcome.output_chars)
    if usage.source == "provider" and credible:
        return usage
    completion = estimate_tokens(reply.outcome.output_chars)
    if usage.source == "estimated" and credible:
        return msgspec.structs.replace(usage, completion=max(usage.completion, completion))
    if prompt_tokens is None:
        prompt_tokens = estimate_tokens(sum(len(message.content) for message in call.view.messages))
    return Usage(prompt=prompt_tokens, completion=completion, source="estimated")


def _is_credible(usage: Usage) -> bool:
    counts = (
        usage.prompt,
        usage.completion,
        usage.cached,
        usage.cache_write,
        usage.reasoning,
        usage.prompt_audio,
        usage.cached_audio,
        usage.completion_audio,
        usage.cache_write_1h,
    )
    return min(counts) >= 0 and max(counts) <= MAX_TOKENS


def _masked(message: MessageView, hash_key: bytes, redactor: Redactor | None) -> MaskedMessage:
    digest = hashlib.blake2b(message.content, digest_size=16, key=hash_key).hexdigest()
    if redactor is not None:
        return MaskedMessage(message.role[:32], digest, message.length, redactor.content(message.content))
    return MaskedMessage(message.role[:32], digest, message.length)


def token_usage(usage: Usage) -> TokenUsage:
    return TokenUsage(
        prompt=usage.prompt,
        completion=usage.completion,
        total=usage.total,
        cached=usage.cached,
        cache_write=usage.cache_write,
        reasoning=usage.reasoning,
        source=usage.source,
    )


def timestamp(seconds: float) -> str:
    whole = int(seconds)
    return f"{_second(whole)}.{int((seconds - whole) * 1000):03d}Z"


@lru_cache(maxsize=64)
def _second(whole: int) -> str:
    return datetime.fromtimestamp(whole, UTC).strftime("%Y-%m-%dT%H:%M:%S")


def _ms(seconds: float) -> float:
    return round(seconds * 1000, 3)
