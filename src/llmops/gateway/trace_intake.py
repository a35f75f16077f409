"""``POST /v1/traces``: spans of other programs, as OTLP over HTTP, taken in and kept on disk before they are answered.

Whose spans they are is decided by the key alone, never by what they say. The answer says truthfully how many cannot be
taken and why (``partial_success``); errors are ``google.rpc.Status`` messages, as the protocol asks, in the encoding of
the request. All work is done in one thread: unpacking and judging a large export would make calls wait. What waits for
that thread is bounded, and so is how much of it may be one tenant's; the spool has the same rule.

Not covered: making rows of the spans (`telemetry.traces.writer`).
"""

import asyncio
import logging
import zlib
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from math import ceil
from typing import TYPE_CHECKING, Protocol

import msgspec

from ..clock import Clock
from ..errors import (
    BodyTooLarge,
    InvalidRequest,
    LLMOpsError,
    Overloaded,
    StoreUnavailable,
    UnsupportedMediaType,
    internal_error,
)
from ..identity.key import DEFAULT_TENANT
from ..telemetry.traces.shares import fits
from ..telemetry.traces.spool import SpoolFull
from ..telemetry.traces.spool_frames import Encoding
from ..telemetry.traces.tally import TraceTally
from .access import Access
from .asgi import JSON, Headers, Receive, Scope, Send, send_body
from .data_plane import Limits
from .intake import check_headers, discard_rest, read_body

if TYPE_CHECKING:
    from ..telemetry.spans.otlp_read import Inspected

_log = logging.getLogger(__name__)
_ENCODINGS: dict[bytes, Encoding] = {b"application/x-protobuf": "protobuf", b"application/json": "json"}
_PROTOBUF = (b"content-type", b"application/x-protobuf")
_CODINGS = {b"gzip": 31, b"x-gzip": 31, b"deflate": 15}
_PENDING_BYTES = 64_000_000
_BUSY_RETRY_S = 1.0
_DISK_RETRY_S = 10.0
_DISCARD_FACTOR = 4
_RPC_CODES = {400: 3, 401: 16, 403: 7, 404: 5, 413: 8, 415: 3, 431: 3, 429: 8, 503: 14}
_INTERNAL = 13


class Keeper(Protocol):
    """Where exports are kept until they are in the database."""

    def append(self, tenant: str, encoding: Encoding, body: bytes, *, spans: int, received_us: int) -> None: ...


class TraceIntake:
    """An ASGI endpoint. ``on_kept`` is called on the loop when there is something new to store."""

    def __init__(
        self,
        *,
        access: Access,
        keeper: Keeper,
        tally: TraceTally,
        limits: Callable[[], Limits],
        unpacked_limit_bytes: Callable[[], int],
        clock: Clock,
        on_kept: Callable[[], None],
    ) -> None:
        self._access = access
        self._keeper = keeper
        self._tally = tally
        self._limits = limits
        self._unpacked_limit_bytes = unpacked_limit_bytes
        self._clock = clock
        self._on_kept = on_kept
        self._pending: dict[str, int] = {}
        """Bytes that wait for the thread, by tenant."""
        self._thread: ThreadPoolExecutor | None = None

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        headers: dict[bytes, bytes] = dict(scope["headers"])
        encoding = _encoding(headers)
        try:
            check_headers(scope, self._limits().header_limit_bytes)
            key = self._access.any_key(scope)
            if encoding is None:
                raise _unknown_type(headers)
            inspected = await self._take(key.tenant if key is not None else DEFAULT_TENANT, encoding, headers, receive)
        except SpoolFull as full:
            self._tally.refuse(full.reason)
            await self._answer_error(Overloaded(str(full), retry_after_s=_DISK_RETRY_S), encoding, send)
            return
        except LLMOpsError as error:
            await self._refuse(error, encoding, send)
            if isinstance(error, BodyTooLarge):
                await discard_rest(receive, _DISCARD_FACTOR * self._limits().body_limit_bytes)
            return
        except Exception:  # noqa: BLE001 - a border: a defect of ours is answered and recorded, never a bare 500
            _log.exception("an export of spans could not be taken in")
            await self._refuse(internal_error(), encoding, send)
            return
        self._tally.accepted += inspected.accepted
        self._tally.rejected += sum(inspected.rejected.values())
        if inspected.accepted:
            self._on_kept()
        await send_body(send, 200, [_content_type(encoding)], _answer(inspected, encoding))

    def close(self) -> None:
        if self._thread is not None:
            self._thread.shutdown()

    async def _take(
        self, tenant: str, encoding: Encoding, headers: dict[bytes, bytes], receive: Receive
    ) -> "Inspected":
        coding = headers.get(b"content-encoding", b"identity").strip().lower()
        if coding not in _CODINGS and coding != b"identity":
            raise UnsupportedMediaType(
                f"the body is encoded as {coding[:40].decode('latin-1')!r}; send it as gzip, deflate or plain"
            )
        plain = {**headers, b"content-encoding": b"identity"}
        body = await read_body(plain, receive, self._limits().body_limit_bytes)
        self._check_pending(tenant, len(body))
        self._pending[tenant] = self._pending.get(tenant, 0) + len(body)
        if self._thread is None:
            self._thread = ThreadPoolExecutor(1, thread_name_prefix="trace-intake")
        try:
            return await asyncio.get_running_loop().run_in_executor(
                self._thread, self._keep, tenant, encoding, coding, body
            )
        finally:
            left = self._pending.pop(tenant, 0) - len(body)
            if left > 0:
                self._pending[tenant] = left

    def _check_pending(self, tenant: str, size: int) -> None:
        total, own = sum(self._pending.values()), self._pending.get(tenant, 0)
        if total + size > _PENDING_BYTES:
            raise Overloaded("too many exports of spans arrive at once; try again", retry_after_s=_BUSY_RETRY_S)
        if own and not fits(_PENDING_BYTES, total, own, size):
            raise Overloaded(
                "too many exports of spans of this tenant arrive at once; try again", retry_after_s=_BUSY_RETRY_S
            )

    def _keep(self, tenant: str, encoding: Encoding, coding: bytes, body: bytes) -> "Inspected":
        """Unpack, judge and write; in the thread."""
        from ..telemetry.spans import otlp_json, otlp_read
        from ..telemetry.spans.otlp_salvage import OtlpError

        limit = self._unpacked_limit_bytes()
        plain = body if coding == b"identity" else _unpacked(body, _CODINGS[coding], limit)
        try:
            inspected = otlp_read.inspect(plain) if encoding == "protobuf" else otlp_json.inspect(plain)
        except OtlpError as exc:
            raise InvalidRequest(str(exc)) from exc
        if inspected.accepted:
            received_us = int(self._clock.now_s() * 1e6)
            try:
                self._keeper.append(tenant, encoding, plain, spans=inspected.accepted, received_us=received_us)
            except OSError as exc:
                raise StoreUnavailable(f"spans cannot be kept: {exc}", retry_after_s=_DISK_RETRY_S) from exc
        return inspected

    async def _refuse(self, error: LLMOpsError, encoding: Encoding | None, send: Send) -> None:
        self._tally.refuse(error.code)
        await self._answer_error(error, encoding, send)

    @staticmethod
    async def _answer_error(error: LLMOpsError, encoding: Encoding | None, send: Send) -> None:
        headers: Headers = [_content_type(encoding or "json")]
        if error.retry_after_s is not None:
            headers.append((b"retry-after", str(ceil(error.retry_after_s)).encode()))
        await send_body(send, error.status, headers, _status(error, encoding or "json"))


def _encoding(headers: dict[bytes, bytes]) -> Encoding | None:
    return _ENCODINGS.get(headers.get(b"content-type", b"").partition(b";")[0].strip().lower())


def _unknown_type(headers: dict[bytes, bytes]) -> UnsupportedMediaType:
    named = headers.get(b"content-type", b"")[:80].decode("latin-1")
    return UnsupportedMediaType(f"the content type is {named!r}; send application/x-protobuf or application/json")


def _unpacked(body: bytes, window_bits: int, limit: int) -> bytes:
    """The body as it was before it was packed, in one or several members; never more than the limit is unpacked."""
    parts: list[bytes] = []
    room = limit
    while body:
        unpacking = zlib.decompressobj(window_bits)
        try:
            part = unpacking.decompress(body, room + 1)
        except zlib.error as exc:
            raise InvalidRequest(f"the body cannot be unpacked: {exc}") from exc
        room -= len(part)
        if room < 0:
            raise BodyTooLarge(
                f"the body is larger than {limit} bytes when it is unpacked; send less at a time, or raise "
                "traces.body_limit_megabytes"
            )
        if not unpacking.eof:
            raise InvalidRequest("the body cannot be unpacked: it breaks off")
        parts.append(part)
        body = unpacking.unused_data
    return b"".join(parts)


def _content_type(encoding: Encoding) -> tuple[bytes, bytes]:
    return JSON if encoding == "json" else _PROTOBUF


def _answer(inspected: "Inspected", encoding: Encoding) -> bytes:
    """``ExportTraceServiceResponse``; empty where everything was taken."""
    rejected = sum(inspected.rejected.values())
    reasons = "; ".join(f"{count} spans: {reason}" for reason, count in inspected.rejected.items())
    if encoding == "json":
        partial = {"partialSuccess": {"rejectedSpans": str(rejected), "errorMessage": reasons}} if rejected else {}
        return msgspec.json.encode(partial)
    if not rejected:
        return b""
    return _bytes_field(1, _int_field(1, rejected) + _bytes_field(2, reasons.encode()))


def _status(error: LLMOpsError, encoding: Encoding) -> bytes:
    """``google.rpc.Status``"""
    code = _RPC_CODES.get(error.status, _INTERNAL)
    if encoding == "json":
        return msgspec.json.encode({"code": code, "message": error.message})
    return _int_field(1, code) + _bytes_field(2, error.message.encode())


def _int_field(number: int, value: int) -> bytes:
    return bytes([number << 3]) + _varint(value)


def _bytes_field(number: int, value: bytes) -> bytes:
    return bytes([number << 3 | 2]) + _varint(len(value)) + value


def _varint(value: int) -> bytes:
    found = bytearray()
    while value > 0x7F:
        found.append(value & 0x7F | 0x80)
        value >>= 7
    found.append(value)
    return bytes(found)
