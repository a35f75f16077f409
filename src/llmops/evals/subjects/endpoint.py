"""A URL as the subject: one of our gateways, or whatever speaks OpenAI's chat completions over HTTP.

Each call names the cell that it is made for (``x-llmops-cache-namespace``) and goes to its end when we die
(``x-llmops-on-disconnect``): a gateway of ours whose exact cache is on gives a resumed run the answer that was paid for
already. It repeats the namespace, so an answer from a cache that did not heed it is known as one. What failed on the
way, or asks for patience, is tried again, within the case's time.
"""

import asyncio
import random
import time
from collections.abc import Callable, Mapping
from typing import Any
from urllib.parse import urlsplit

import msgspec

from ...errors import ConfigError, UpstreamError
from ...providers.http1 import Exchange
from ...providers.status import retry_after_s
from ...providers.transport import Origin, Transport
from ...types import Timeouts
from ...version import __version__
from ..case import Case
from ..cell_key import current_key
from ..output import Failure, Output
from .chat_request import ChatRequest
from .completion import cached_tokens
from .model import Asked, output_of, request_versions
from .streamed import StreamedAnswer

PriceOf = Callable[[int, int, int], int | None]
"""Nano-dollars of a call: tokens of its prompt, of these cached by the provider, and of its answer."""
_MAX_REPLY_BYTES = 64 * 1024 * 1024
_RETRIED = frozenset({408, 409, 425, 429, 500, 502, 503, 504})
_LONGEST_PAUSE_S = 60.0
_SHOWN_CHARS = 300


class EndpointSubject:
    """Belongs to one event loop; close it with ``aclose``."""

    def __init__(
        self,
        url: str,
        request: ChatRequest,
        *,
        key: str | None = None,
        headers: Mapping[str, str] | None = None,
        retries: int = 4,
        timeout_s: float = 120.0,
        price_of: PriceOf | None = None,
        tags: Mapping[str, str] | None = None,
    ) -> None:
        """``url`` is the API's base, such as ``http://127.0.0.1:8000/v1``; `ConfigError` for what is none."""
        try:
            self._origin = Origin.of(url)
        except ValueError as exc:
            raise ConfigError([f"url: {exc}"], source="the endpoint") from exc
        path = urlsplit(url).path.rstrip("/")
        self._request = request
        self._retries = retries
        self._price_of = price_of
        self._timeouts = Timeouts(first_byte_s=timeout_s, idle_s=timeout_s, total_s=timeout_s)
        self._transport: Transport | None = None
        self._luck = random.Random()
        given = {
            "Host": self._origin.host_header,
            "Content-Type": "application/json",
            "Accept-Encoding": "identity",
            "User-Agent": f"llmops/{__version__}",
            "x-llmops-degrade": "never",
            "x-llmops-on-disconnect": "finish",
            **({"Authorization": f"Bearer {key}"} if key else {}),
            **({"x-llmops-tags": ", ".join(f"{name}={value}" for name, value in tags.items())} if tags else {}),
            **(headers or {}),
        }
        lines = [f"{name}: {value}" for name, value in given.items()]
        if any("\n" in line or "\r" in line or not line.isascii() for line in lines):
            raise ConfigError(["a header or the key holds what no header can"], source="the endpoint")
        self._head = (
            f"POST {path}/chat/completions HTTP/1.1\r\n{''.join(line + chr(13) + chr(10) for line in lines)}".encode()
        )
        self._versions = {"url": f"{self._origin}{path}", "model": request.model, **request_versions(request)}

    @property
    def versions(self) -> Mapping[str, str]:
        return self._versions

    async def answer(self, case: Case, repeat: int) -> Output:
        namespace = current_key()
        body = msgspec.json.encode(self._request.body(case))
        message = self._message(body, namespace)
        attempt = 0
        while True:
            pause_s: float | None
            started_s = time.perf_counter()
            try:
                exchange = await self._open().request(self._origin, message, self._timeouts)
                try:
                    answer, ttft_ms = await _read(exchange, started_s)
                finally:
                    exchange.close()
            except UpstreamError as exc:
                failure, pause_s = Failure.of(exc), exc.retry_after_s
            else:
                latency_ms = round((time.perf_counter() - started_s) * 1000, 3)
                headers = exchange.response_headers
                if exchange.status == 200:
                    return self._output(answer, headers, namespace, latency_ms, ttft_ms)
                failure, pause_s = _failure(exchange.status, answer), retry_after_s(headers)
                if exchange.status not in _RETRIED:
                    return Output(error=failure, latency_ms=latency_ms)
            attempt += 1
            if attempt > self._retries:
                return Output(error=failure)
            if pause_s is None:
                pause_s = 0.25 * 2**attempt * self._luck.random()
            await asyncio.sleep(min(pause_s, _LONGEST_PAUSE_S))

    def _open(self) -> Transport:
        if self._transport is None:
            self._transport = Transport(self._timeouts)
        return self._transport

    def _message(self, body: bytes, namespace: str | None) -> bytes:
        own = f"x-llmops-cache-namespace: {namespace}\r\n" if namespace is not None else ""
        return b"%b%bContent-Length: %d\r\n\r\n%b" % (self._head, own.encode(), len(body), body)

    def _output(
        self,
        answer: bytes,
        headers: Mapping[bytes, bytes],
        namespace: str | None,
        latency_ms: float,
        ttft_ms: float | None,
    ) -> Output:
        is_cached = headers.get(b"x-llmops-cache") in (b"hit", b"shared", b"semantic", b"stale", b"partial")
        heeded = headers.get(b"x-llmops-cache-namespace")
        asked = Asked(
            body=answer,
            cached=is_cached,
            is_own=namespace is not None and heeded == namespace.encode(),
            latency_ms=latency_ms,
            ttft_ms=ttft_ms,
            trace_id=_trace_id(headers.get(b"traceparent")),
        )
        output = output_of(asked)
        return msgspec.structs.replace(output, cost_nanousd=self._cost(answer, output))

    def _cost(self, answer: bytes, output: Output) -> int | None:
        if output.cached:
            return 0
        if self._price_of is None or output.tokens_in is None or output.tokens_out is None:
            return None
        return self._price_of(output.tokens_in, cached_tokens(answer), output.tokens_out)

    async def aclose(self) -> None:
        if self._transport is not None:
            await self._transport.aclose()
            self._transport = None

    def __getstate__(self) -> dict[str, Any]:
        return {**self.__dict__, "_transport": None}  # connections belong to a process


async def _read(exchange: Exchange, started_s: float) -> tuple[bytes, float | None]:
    """The whole answer; of a stream also the milliseconds until its first content."""
    kind = exchange.response_headers.get(b"content-type", b"")
    if exchange.status != 200 or not kind.startswith(b"text/event-stream"):
        return await exchange.body(_MAX_REPLY_BYTES), None
    answer = StreamedAnswer(time.perf_counter, most_bytes=_MAX_REPLY_BYTES)
    while chunk := await exchange.chunk():
        answer.feed(chunk)
    first_s = answer.first_content_s
    return answer.body(), None if first_s is None else round((first_s - started_s) * 1000, 3)


def _failure(status: int, body: bytes) -> Failure:
    """The error as OpenAI's shape has it, otherwise the beginning of what came."""
    try:
        said = msgspec.json.decode(body)["error"]
        code, message = said.get("code") or said.get("type") or f"http_{status}", said.get("message") or ""
    except (msgspec.DecodeError, KeyError, TypeError, AttributeError):
        code, message = f"http_{status}", body[:_SHOWN_CHARS].decode("utf-8", "replace")
    return Failure(code=str(code), message=f"HTTP {status}: {message}"[:500])


def _trace_id(traceparent: bytes | None) -> str | None:
    parts = traceparent.split(b"-") if traceparent is not None else []
    return parts[1].decode("latin-1") if len(parts) == 4 and len(parts[1]) == 32 else None
