"""What all HTTP providers share: passing bytes through, translating between dialects, opening streams, naming errors.

A provider is this class plus constants and a few lines: its paths, how it carries the secret, the dialects it speaks
natively and the one it is translated to. Invariants: a request's body never chooses an address, a credential or a
header of the upstream call; a stream is handed up only once its first content-bearing event was seen; closing a
stream closes the upstream's connection.
"""

from collections.abc import Callable, Coroutine, Mapping
from typing import Any, ClassVar

import msgspec

from ..dialects.dialect import ClientDialect, Dialect, ErrorReader, StreamTap, UpstreamDialect
from ..dialects.translation import TranslatedStream, translate_reply, translate_request
from ..errors import InvalidRequest, UpstreamBroken, UpstreamError
from ..tokens import estimate_tokens
from ..types import Call, Operation, Outcome, Reply, Timeouts
from ..version import __version__
from .http1 import Exchange
from .status import error_for
from .transport import Origin, Transport
from .upstream_stream import UpstreamStream

MAX_REPLY_BYTES = 64 * 1024 * 1024
_MAX_ERROR_BYTES = 1024 * 1024
_MAX_ENDPOINTS = 1024
_MIN_SECRET_CHARS = 8
"""Shorter credentials ("none", "EMPTY") are no secrets, and masking them would garble the provider's words."""


class Endpoint(msgspec.Struct, frozen=True):
    """Where a request goes, with all of its head that does not change from call to call."""

    origin: Origin
    head: bytes


class HttpProvider:
    """One deployment's adapter. Subclasses set the constants, ``path`` and, where theirs differ, ``auth_headers``."""

    name: ClassVar[str]
    default_base_url: ClassVar[str | None] = None
    secret_env: ClassVar[str | None] = None
    native: ClassVar[frozenset[Operation]]
    """Operations whose bodies pass through in the client's own dialect."""

    def __init__(
        self,
        *,
        base_url: str,
        secret: str | None,
        transport: Transport,
        dialects: Mapping[Operation, ClientDialect],
        conversational: Mapping[Operation, Dialect],
        target: UpstreamDialect,
        monotonic_s: Callable[[], float],
        timeouts: Timeouts | None = None,
        native: frozenset[Operation] | None = None,
        extra_headers: Mapping[str, str] | None = None,
        asks_usage: bool = True,
    ) -> None:
        self.base_url = base_url.rstrip("/")
        self.natively = self.native if native is None else native
        self._secret = secret
        self._origin = Origin.of(self.base_url)
        self._base_path = self.base_url.split("://", 1)[1].partition("/")[2]
        self._transport = transport
        self._timeouts = timeouts
        self._dialects = dialects
        self._conversational = conversational
        self._target = target
        self._asks_usage = asks_usage
        self._extra_headers = dict(extra_headers or {})
        secrets = [secret or "", *self._extra_headers.values()]
        self._secrets = [each for each in secrets if len(each) >= _MIN_SECRET_CHARS]
        self.now = monotonic_s
        self._endpoints: dict[tuple[str, str, bool], Endpoint] = {}

    # --- what subclasses say ---

    def path(self, operation: str, model: str, *, stream: bool) -> str:
        """The path below the base URL for an operation, or for the target dialect's name."""
        raise NotImplementedError

    def auth_headers(self) -> dict[str, str]:
        return {"Authorization": f"Bearer {self._secret}"} if self._secret else {}

    # --- the Provider protocol ---

    def send(self, call: Call) -> Coroutine[Any, Any, Reply]:
        assert call.deployment is not None
        model = call.deployment.upstream_model(call.view.model)
        if call.operation in self.natively:
            return self._pass_through(call, model)
        if call.operation == "count_tokens":
            return self._estimate(call)
        return self.translate(call, model)

    async def _estimate(self, call: Call) -> Reply:
        return estimated_count(call, self.now())

    async def _pass_through(self, call: Call, model: str) -> Reply:
        dialect = self._dialects[call.operation]
        ask_usage = self._asks_usage and call.view.stream and not call.view.wants_usage
        body = call.body
        if ask_usage or model != (call.body_model or call.view.model):
            body = dialect.patch(body, model, ask_usage=ask_usage)
        exchange = await self.post(call, call.operation, model, body, dialect)
        outcome = Outcome()
        if call.view.stream:
            tap = self._conversational[call.operation].tap_stream(call, outcome)
            return await self._open_stream(exchange, tap, outcome)
        answer = await read_json(exchange)
        try:
            dialect.tap_reply(answer, outcome)
        except UpstreamBroken:
            exchange.distrust()
            raise
        outcome.first_content_s = self.now()
        return Reply(body=answer, outcome=outcome)

    async def translate(self, call: Call, model: str) -> Reply:
        source = self._conversational.get(call.operation)
        if source is None:
            raise InvalidRequest(f"the provider {self.name!r} behind this model does not offer {call.operation!r}")
        body = translate_request(call, source, self._target, model)
        exchange = await self.post(call, self._target.name, model, body, self._target)
        outcome = Outcome()
        if call.view.stream:
            stream = TranslatedStream(self._target.stream_reader(), source.stream_writer(call), call, outcome)
            return await self._open_stream(exchange, stream, outcome)
        answer = await read_json(exchange)
        try:
            translated = translate_reply(answer, source, self._target, call, outcome)
        except UpstreamBroken:
            exchange.distrust()
            raise
        outcome.first_content_s = self.now()
        return Reply(body=translated, outcome=outcome)

    # --- one request ---

    async def post(self, call: Call, operation: str, model: str, body: bytes, dialect: ErrorReader) -> Exchange:
        """Send and return the exchange of a success; everything else is raised as the matching error."""
        endpoint = self._endpoint(operation, model, stream=call.view.stream)
        timeouts = call.timeouts
        if timeouts is None:
            limit, timeouts = b"", self._timeouts
        else:  # the caller's patience, for an upstream that understands it
            limit = b"X-Request-Timeout-Ms: %d\r\n" % (timeouts.total_s * 1000)
        request = b"%b%btraceparent: 00-%b-%b-%b\r\nContent-Length: %d\r\n\r\n%b" % (
            endpoint.head,
            limit,
            call.trace_id.encode(),
            call.span_id.encode(),
            call.trace_flags.encode(),
            len(body),
            body,
        )
        exchange = await self._transport.request(endpoint.origin, request, timeouts)
        if exchange.status == 200:
            return exchange
        try:
            answer = await exchange.body(_MAX_ERROR_BYTES)
        except UpstreamError:
            answer = b""  # the status says enough
        finally:
            exchange.close()
        said = dialect.read_error(exchange.status, self._masked(answer.decode("utf-8", "replace")).encode())
        raise error_for(exchange.status, exchange.response_headers, said)

    def _masked(self, words: str) -> str:
        """An upstream's words without our credentials: it may quote what it was sent."""
        for secret in self._secrets:
            words = words.replace(secret, "**********")
        return words

    def _endpoint(self, operation: str, model: str, *, stream: bool) -> Endpoint:
        key = (operation, model, stream)
        endpoint = self._endpoints.get(key)
        if endpoint is None:
            if len(self._endpoints) >= _MAX_ENDPOINTS:  # names chosen by clients of a wildcard model
                self._endpoints.clear()
            endpoint = self._endpoints[key] = self._build_endpoint(operation, model, stream=stream)
        return endpoint

    def _build_endpoint(self, operation: str, model: str, *, stream: bool) -> Endpoint:
        path = "/".join(part for part in (self._base_path, self.path(operation, model, stream=stream)) if part)
        headers = {
            "Host": self._origin.host_header,
            "Content-Type": "application/json",
            "Accept": "text/event-stream" if stream else "application/json",
            "Accept-Encoding": "identity",
            "User-Agent": f"llmops-lab/{__version__}",
            **self.auth_headers(),
            **self._extra_headers,
        }
        lines = [f"POST /{path} HTTP/1.1", *(f"{name}: {value}" for name, value in headers.items())]
        return Endpoint(self._origin, "".join(f"{line}\r\n" for line in lines).encode("latin-1"))

    async def _open_stream(self, exchange: Exchange, tap: StreamTap, outcome: Outcome) -> Reply:
        stream = await UpstreamStream(exchange, tap, self._masked).open()
        outcome.first_content_s = self.now()
        return Reply(stream=stream, outcome=outcome)


def estimated_count(call: Call, now_s: float) -> Reply:
    """An answer to ``count_tokens`` for a model whose provider cannot count: the gateway's estimate, marked as such."""
    tokens = estimate_tokens(sum(len(message.content) for message in call.view.messages))
    return Reply(
        body=msgspec.json.encode({"input_tokens": tokens}),
        headers=[(b"x-llmops-estimated", b"true")],
        outcome=Outcome(first_content_s=now_s),
    )


async def read_json(exchange: Exchange) -> bytes:
    try:
        answer = await exchange.body(MAX_REPLY_BYTES)
    finally:
        exchange.close()
    if not answer.lstrip()[:1] == b"{":
        exchange.distrust()
        raise UpstreamBroken(f"the upstream's answer is not a JSON object: {answer[:60]!r}", upstream_status=200)
    return answer
