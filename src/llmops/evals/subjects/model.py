"""A model of the pipeline as the subject: the same policies, prices and records as every other call of ours.

The way to ask is handed in (`Ask`), since a domain does not know the pipeline.
"""

from collections.abc import Awaitable, Mapping
from typing import Any, Protocol

import msgspec

from ..case import Case
from ..cell_key import current_key
from ..output import Failure, Output
from .chat_request import ChatRequest
from .completion import read_completion


class Asked(msgspec.Struct, frozen=True, kw_only=True):
    """What came of a call: the answer's body and what its record says."""

    body: bytes
    cached: bool = False
    is_own: bool = False
    """Where it was cached: whether only calls of the same namespace are given it."""
    latency_ms: float | None = None
    ttft_ms: float | None = None
    """Of a stream."""
    tokens_in: int | None = None
    tokens_out: int | None = None
    cost_nanousd: int | None = None
    trace_id: str | None = None
    release_id: str | None = None


class Ask(Protocol):
    """Makes one chat call; raises its error. ``namespace`` sets its answer apart in the cache."""

    def __call__(self, body: dict[str, Any], *, namespace: str | None) -> Awaitable[Asked]: ...


class ModelSubject:
    def __init__(self, ask: Ask, request: ChatRequest, *, versions: Mapping[str, str] | None = None) -> None:
        """``versions``: what else makes it this one, such as ``prompt_version``."""
        self._ask = ask
        self._request = request
        self._versions = {"model": request.model, **request_versions(request), **(versions or {})}

    @property
    def versions(self) -> Mapping[str, str]:
        return self._versions

    async def answer(self, case: Case, repeat: int) -> Output:
        asked = await self._ask(self._request.body(case), namespace=current_key())
        return output_of(asked)


def output_of(asked: Asked) -> Output:
    is_recovered = asked.cached and asked.is_own
    try:
        said = read_completion(asked.body)
    except (msgspec.DecodeError, ValueError) as exc:
        said = Output(error=Failure(code="unreadable_answer", message=str(exc)[:500]))
    return msgspec.structs.replace(
        said,
        latency_ms=None if is_recovered else asked.latency_ms,
        ttft_ms=None if asked.cached else asked.ttft_ms,
        tokens_in=asked.tokens_in if asked.tokens_in is not None else said.tokens_in,
        tokens_out=asked.tokens_out if asked.tokens_out is not None else said.tokens_out,
        cost_nanousd=asked.cost_nanousd,
        cached=asked.cached and not asked.is_own,
        recovered=is_recovered,
        trace_id=asked.trace_id,
        release_id=asked.release_id,
    )


def request_versions(request: ChatRequest) -> dict[str, str]:
    """What of a request makes the subject this one, beside the model."""
    import hashlib

    found = {}
    if request.params:
        found["params"] = msgspec.json.encode(request.params, order="deterministic").decode()
    if request.stream:
        found["stream"] = "true"
    if request.system is not None or request.template is not None:
        told = msgspec.json.encode([request.system, request.template])
        found["prompt"] = hashlib.sha256(told).hexdigest()[:12]
    return found
