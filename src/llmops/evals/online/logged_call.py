"""A call as the request log tells of it, as a case and an output that scorers can judge.

Without capture there are no texts: the output has its figures alone, and so the call can be judged by what needs no
words. Calls that were made for evals, online ones included, are none: judging judges would never end. A shadow's copies
are none: a score belongs to a trace, where it would be taken for one of the caller's answer.
"""

from collections.abc import Iterator
from datetime import datetime
from typing import Any

import msgspec

from ...types import SHADOW
from ..case import Case
from ..datasets.logged import Message
from ..output import Failure, Output

TAG = "online_eval"
"""Stands on every call that a judge makes."""
_OWN = frozenset({TAG, "eval"})
_WORDLESS = frozenset({"embeddings", "count_tokens"})


class _Tokens(msgspec.Struct, frozen=True):
    prompt: int = 0
    completion: int = 0


class _Line(msgspec.Struct, frozen=True):
    timestamp: str
    request_id: str
    tenant: str
    operation: str
    model: str
    trace_id: str
    span_id: str
    latency_ms: float = 0.0
    ttft_ms: float | None = None
    token_usage: _Tokens = _Tokens()
    status: int = 0
    error_type: str | None = None
    finish_reason: str | None = None
    release_id: str | None = None
    arm: str | None = None
    session: str | None = None
    cached: bool = False
    recovered: bool = False
    cost_nanousd: int | None = 0
    tags: dict[str, str] = {}
    messages_masked: list[Message] = []
    output: str | None = None


class LoggedCall(msgspec.Struct, frozen=True, kw_only=True):
    tenant: str
    model: str
    release: str | None
    operation: str
    trace_id: str
    span_id: str
    at_s: float
    case: Case
    output: Output
    has_texts: bool


_decode = msgspec.json.Decoder(_Line).decode


def calls_in(lines: bytes) -> Iterator[LoggedCall]:
    """The calls of these lines that can be judged; what is no record is left out, as it is everywhere."""
    for raw in lines.split(b"\n"):
        if not raw:
            continue
        try:
            line = _decode(raw)
            call = _call(line)
        except (msgspec.DecodeError, UnicodeError, RecursionError, ValueError):
            continue
        nobodys = line.recovered or line.arm == SHADOW or not _OWN.isdisjoint(line.tags)
        if not nobodys and line.operation not in _WORDLESS:
            yield call


def _call(line: _Line) -> LoggedCall:
    asked = [{"role": each.role, "content": each.content} for each in line.messages_masked if each.content]
    error = None
    if line.error_type is not None or line.status >= 400:
        error = Failure(code=line.error_type or f"http_{line.status}", message="the call failed")
    output = Output(
        text=line.output,
        finish_reason=line.finish_reason,
        error=error,
        latency_ms=line.latency_ms,
        ttft_ms=line.ttft_ms,
        tokens_in=line.token_usage.prompt,
        tokens_out=line.token_usage.completion,
        cost_nanousd=line.cost_nanousd,
        cached=line.cached,
        trace_id=line.trace_id,
        release_id=line.release_id,
    )
    return LoggedCall(
        tenant=line.tenant,
        model=line.model,
        release=line.release_id,
        operation=line.operation,
        trace_id=line.trace_id,
        span_id=line.span_id,
        at_s=datetime.fromisoformat(line.timestamp).timestamp(),
        case=Case(id=line.span_id, input=_input(asked), cluster=line.session, metadata={"model": line.model}),
        output=output,
        has_texts=bool(asked) and line.output is not None,
    )


def _input(asked: list[dict[str, Any]]) -> Any:
    """One user's message alone is its text."""
    return asked[0]["content"] if len(asked) == 1 and asked[0]["role"] == "user" else asked
