"""The data plane: one request of an application becomes a `Call`, and its `Reply` the response.

Everything that can go wrong is answered in the error shape of the dialect that the path speaks, with the right status,
the request's id and a line in the log. No policy lives here.
"""

import asyncio
import logging
from base64 import b64decode
from collections.abc import Mapping, Sequence
from functools import lru_cache
from math import ceil
from typing import Protocol

from ..clock import Clock, Ids
from ..dialects.dialect import ClientDialect, Dialect
from ..errors import BodyTooLarge, InternalError, LimitReached, LLMOpsError, internal_error
from ..telemetry.metrics import Metrics
from ..telemetry.record import RefusedRequest
from ..ticker import Ticker
from ..types import Call, Handler, Operation, Priority, Reply
from .asgi import EVENT_STREAM, JSON, Headers, Message, Receive, Response, Scope, Send, send_body
from .cache_control import cache_headers, read_cache_control
from .client_address import ClientAddress
from .client_watch import ClientWatch
from .intake import Arrival, arrive, check_headers, check_nesting, discard_rest, read_body
from .labels import read_labels, read_priority
from .limit_headers import limit_headers
from .patience import read_patience

_log = logging.getLogger(__name__)
_LARGE_BYTES = 500_000
_MAX_HEADER_CHARS = 4096
_DISCARD_FACTOR = 10
ADMITTED = "llmops.admitted"
"""Marks the scope of a request that counts as under way."""
_ANTHROPIC = frozenset({"messages", "count_tokens"})
"""Their SDKs look for the request's id in ``request-id``, OpenAI's in ``x-request-id``."""


class RefusalSink(Protocol):
    """Where requests go that never became a call."""

    def append(self, ended: RefusedRequest, /) -> None: ...


class Limits(Protocol):
    """What is accepted."""

    @property
    def body_limit_bytes(self) -> int: ...
    @property
    def header_limit_bytes(self) -> int: ...
    @property
    def nesting_limit(self) -> int: ...
    @property
    def trusted_proxies(self) -> Sequence[str]: ...


class Shedder(Protocol):
    """Says which requests are turned away unread, because the process has too much to do. ``calls`` are under way."""

    def refusal(self, priority: Priority, calls: int) -> LLMOpsError | None: ...


class DataPlane:
    """Serves the hot routes. ``handler``, ``limits``, ``address`` and ``shedder`` may be exchanged while calls are
    under way."""

    def __init__(
        self,
        *,
        handler: Handler,
        limits: Limits,
        dialects: Mapping[Operation, ClientDialect],
        conversational: Mapping[Operation, Dialect],
        sink: RefusalSink,
        metrics: Metrics,
        clock: Clock,
        ids: Ids,
        shedder: Shedder | None = None,
    ) -> None:
        self.handler = handler
        self.limits = limits
        self.shedder = shedder
        self.address = ClientAddress(limits.trusted_proxies)
        self._dialects = dialects
        self._conversational = conversational
        self._sink = sink
        self._metrics = metrics
        self._clock = clock
        self._ids = ids
        self._ticker = Ticker()

    def admit(self, operation: Operation, scope: Scope) -> Response | None:
        """The answer to a request that is turned away unread; None: it counts as under way, and is to be served.

        A server that can, asks before it makes a task of a request: most of what a refusal costs is saved.
        """
        if self.shedder is not None:
            headers = dict(scope["headers"])
            error = self.shedder.refusal(read_priority(headers), self._metrics.in_flight)
            if error is not None:
                arrival = arrive(headers, self._clock, self._ids)
                self._note(error, operation, arrival)
                return _error_response(error, self._dialects[operation], arrival)
        self._metrics.in_flight += 1
        scope[ADMITTED] = True
        return None

    async def serve(self, operation: Operation, scope: Scope, receive: Receive, send: Send) -> None:
        """Answer one request on the path of ``operation``."""
        if ADMITTED not in scope:
            refusal = self.admit(operation, scope)
            if refusal is not None:
                await send_body(send, *refusal)
                return
        dialect = self._dialects[operation]
        headers: dict[bytes, bytes] = dict(scope["headers"])
        arrival = arrive(headers, self._clock, self._ids)
        try:
            try:
                call = await self._take_in(operation, dialect, scope, headers, receive, arrival)
            except BodyTooLarge as error:
                finish = _then_discard(send, receive, _DISCARD_FACTOR * self.limits.body_limit_bytes)
                await self.refuse(error, operation, dialect, arrival, finish)
                return
            except LLMOpsError as error:
                await self.refuse(error, operation, dialect, arrival, send)
                return
            except Exception:  # noqa: BLE001 - a border: a defect of ours is answered and recorded, never a bare 500
                _log.exception("request %s could not be taken in", arrival.request_id)
                await self.refuse(internal_error(), operation, dialect, arrival, send)
                return
            await self._answer(call, dialect, arrival, receive, send)
        finally:
            self._metrics.in_flight -= 1

    async def refuse(
        self, error: LLMOpsError, operation: str, dialect: ClientDialect, arrival: Arrival, send: Send
    ) -> None:
        """Turn a request away that did not become a call, and note it in the log."""
        self._note(error, operation, arrival)
        await _send_error(error, dialect, arrival, send)

    def _note(self, error: LLMOpsError, operation: str, arrival: Arrival) -> None:
        latency_s = self._clock.monotonic_s() - arrival.started_s
        self._sink.append(
            RefusedRequest(
                request_id=arrival.request_id,
                trace_id=arrival.trace_id,
                span_id=arrival.span_id,
                parent_span_id=arrival.parent_span_id,
                operation=operation,
                error=error,
                started_at_s=arrival.started_at_s,
                latency_s=latency_s,
            )
        )

    def arrive(self, scope: Scope) -> Arrival:
        """The identity of a request that no hot route serves."""
        return arrive(dict(scope["headers"]), self._clock, self._ids)

    async def _take_in(
        self,
        operation: Operation,
        dialect: ClientDialect,
        scope: Scope,
        headers: dict[bytes, bytes],
        receive: Receive,
        arrival: Arrival,
    ) -> Call:
        check_headers(scope, self.limits.header_limit_bytes)
        body = await read_body(headers, receive, self.limits.body_limit_bytes)
        if len(body) < _LARGE_BYTES:
            check_nesting(body, self.limits.nesting_limit)
        else:  # the worst of ten megabytes takes a second
            await asyncio.to_thread(check_nesting, body, self.limits.nesting_limit)
        view = dialect.view(body)
        call = Call(
            operation=operation,
            body=body,
            view=view,
            request_id=arrival.request_id,
            trace_id=arrival.trace_id,
            span_id=arrival.span_id,
            parent_span_id=arrival.parent_span_id,
            trace_flags=arrival.trace_flags,
            tracestate=arrival.tracestate,
            started_at_s=arrival.started_at_s,
            started_s=arrival.started_s,
            credential=credential_of(headers),
            client_ip=self.address.of(scope, headers),
            allow_dropped=headers.get(b"x-llmops-allow-dropped", b"").lower() == b"true",
        )
        read_labels(headers, call)
        read_patience(headers, call)
        read_cache_control(headers, call)
        return call

    async def _answer(self, call: Call, dialect: ClientDialect, arrival: Arrival, receive: Receive, send: Send) -> None:
        watch = ClientWatch(receive, self._ticker, may_leave=call.outlives_client)
        try:
            try:
                reply = await self.handler(call)
            except LLMOpsError as error:
                if isinstance(error, InternalError):
                    _log.error("call %s failed", call.request_id, exc_info=error.__cause__)
                await _send_error(error, dialect, arrival, send)
                return
            headers = _reply_headers(reply, call, arrival)
            if reply.stream is None:
                headers.append(JSON)
                await send_body(send, reply.status, headers, reply.body)
            else:
                dialect_of_events = self._conversational[call.operation]
                await _send_stream(reply, headers + EVENT_STREAM, call, dialect_of_events, send, watch)
        except asyncio.CancelledError:
            if not watch.left:
                raise
            _uncancel()  # the client has gone; what the call used is recorded, and there is nobody to answer
        finally:
            watch.stop()


def _uncancel() -> None:
    task = asyncio.current_task()
    if task is not None:
        task.uncancel()


def credential_of(headers: dict[bytes, bytes]) -> str | None:
    """The key that the client presents: a bearer token (OpenAI's way) or ``x-api-key`` (Anthropic's)."""
    authorization = headers.get(b"authorization")
    if authorization is not None and authorization[:7].lower() == b"bearer ":
        return authorization[7:].strip().decode("latin-1")
    key = headers.get(b"x-api-key")
    return key.decode("latin-1") if key is not None else None


def basic_credential_of(headers: dict[bytes, bytes]) -> str | None:
    """The password of HTTP Basic, whatever the user is called: how Langfuse's clients present a key."""
    authorization = headers.get(b"authorization", b"")
    if authorization[:6].lower() != b"basic ":
        return None
    try:
        return b64decode(authorization[6:].strip(), validate=True).partition(b":")[2].decode("latin-1") or None
    except ValueError:
        return None


def _reply_headers(reply: Reply, call: Call, arrival: Arrival) -> Headers:
    headers = arrival.response_headers()
    if call.operation in _ANTHROPIC:
        headers.append((b"request-id", arrival.request_id.encode()))
    if call.deployment is not None and not reply.cached:
        headers.append((b"x-llmops-deployment", _deployment_header(call.deployment.name)))
    if call.release_id is not None:
        headers.append((b"x-llmops-release", _deployment_header(call.release_id)))
    if call.attempts > 1:
        headers.append((b"x-llmops-attempts", b"%d" % call.attempts))
    if call.dropped:
        headers.append((b"x-llmops-dropped", _header_value(", ".join(call.dropped))))
    if reply.cache is not None:
        headers += cache_headers(reply.cache, call.cache_namespace)
    if call.degraded is not None:
        headers.append((b"x-llmops-degraded", _header_value(call.degraded)))
    if call.headroom is not None:
        headers += limit_headers(call.headroom)
    return headers + reply.headers


@lru_cache(maxsize=4096)
def _deployment_header(name: str) -> bytes:
    return _header_value(name)


def _header_value(text: str) -> bytes:
    """``text`` where a header can stand: names of dropped parameters are the caller's words and may hold anything."""
    clean = "".join(char if char.isprintable() else "?" for char in text[:_MAX_HEADER_CHARS])
    return clean.encode("latin-1", "replace")


async def _send_stream(
    reply: Reply, headers: Headers, call: Call, dialect: Dialect, send: Send, watch: ClientWatch
) -> None:
    stream = reply.stream
    assert stream is not None
    last = b""
    try:
        await send({"type": "http.response.start", "status": reply.status, "headers": headers})
        try:
            async for events in stream:
                watch.sending()
                await send({"type": "http.response.body", "body": events, "more_body": True})
                watch.sent()
        except LLMOpsError as error:
            if isinstance(error, InternalError):
                _log.error("the stream of call %s failed", call.request_id, exc_info=error.__cause__)
            last = dialect.write_error_event(error, call.request_id)
        await send({"type": "http.response.body", "body": last})
    finally:
        await stream.aclose()


def _then_discard(send: Send, receive: Receive, limit_bytes: int) -> Send:
    """``send`` that reads the rest of the request between the answer's last byte and its end."""

    async def sending(message: Message) -> None:
        if message["type"] != "http.response.body":
            await send(message)
            return
        await send({**message, "more_body": True})
        await discard_rest(receive, limit_bytes)
        await send({"type": "http.response.body", "body": b""})

    return sending


async def _send_error(error: LLMOpsError, dialect: ClientDialect, arrival: Arrival, send: Send) -> None:
    await send_body(send, *_error_response(error, dialect, arrival))


def _error_response(error: LLMOpsError, dialect: ClientDialect, arrival: Arrival) -> Response:
    headers = [*arrival.response_headers(), JSON]
    if dialect.name in _ANTHROPIC:
        headers.append((b"request-id", arrival.request_id.encode()))
    if error.retry_after_s is not None:
        headers.append((b"retry-after", b"%d" % max(1, ceil(error.retry_after_s))))
    if isinstance(error, LimitReached) and error.headroom is not None:
        headers += limit_headers(error.headroom)
    if error.status in (413, 431):  # the rest of the request is not worth reading
        headers.append((b"connection", b"close"))
    return Response(error.status, headers, dialect.write_error(error, arrival.request_id))
