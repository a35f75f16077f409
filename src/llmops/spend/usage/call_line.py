"""Lines of the request log to `CallRow`s: only the needed fields are decoded, many lines in one go.

What does not fit the table is mended where that tells no lie: over-long names are cut, impossible numbers bounded, NUL
characters, which PostgreSQL does not store, become U+FFFD. What is no record is counted and reported. A record that was
appended behind one that its writer left torn, on the same line, is found.
"""

from datetime import UTC, datetime
from typing import Annotated, Any

import msgspec
from msgspec import UNSET, Meta, UnsetType

from ...errors import Unauthenticated
from ...telemetry.record import FailedAttemptRecord, Timings
from ...telemetry.spans.call_timings import timings_text
from .records import CallRow

MAX_AMOUNT = 10**15
"""The largest count of tokens, and of nano-dollars (a million dollars), that one call is taken to have used."""
_MAX_NAME = 256
_BEGIN = b'{"timestamp":"'
_NUL = b"\\u0000"

Name = Annotated[str, Meta(max_length=_MAX_NAME)]
Amount = Annotated[int, Meta(ge=0, le=MAX_AMOUNT)]
TraceId = Annotated[str, Meta(max_length=32)]
SpanId = Annotated[str, Meta(max_length=16)]


class _Tokens(msgspec.Struct, frozen=True, gc=False):
    prompt: Amount = 0
    completion: Amount = 0
    cached: Amount = 0
    cache_write: Amount = 0
    reasoning: Amount = 0
    source: Name = "none"


class _Line(msgspec.Struct, frozen=True, gc=False):
    """The needed fields of `CallRecord`, also of records that earlier versions wrote."""

    timestamp: str
    request_id: Annotated[str, Meta(min_length=1, max_length=64)]
    tenant: Name
    operation: Name
    provider: Name
    model: Name
    token_usage: _Tokens
    status: Annotated[int, Meta(ge=0, le=999)]
    key_id: Name | None = None
    requested_model: Name | None = None
    deployment: Name | None = None
    latency_ms: float = 0.0
    ttft_ms: float | None = None
    error_type: Name | None = None
    prompt_version: Name | None = None
    release_id: Name | None = None
    cached: bool = False
    stream: bool = False
    user: Name | None = None
    tags: dict[str, str] = {}
    cost_nanousd: Amount | UnsetType | None = UNSET
    reserved_nanousd: Amount | None = None
    cache: Name | None = None
    saved_nanousd: Amount = 0
    recovered: bool = False
    trace_id: TraceId | None = None
    span_id: SpanId | None = None
    parent_span_id: SpanId | None = None
    session: Name | None = None
    attempts: Annotated[int, Meta(ge=0, le=1_000_000)] = 0
    finish_reason: Name | None = None
    upstream_model: Name | None = None
    upstream_id: Name | None = None
    degraded: Name | None = None
    timings_ms: Timings | None = None
    failed_attempts: list[FailedAttemptRecord] = []
    json_valid: bool | None = None
    rollout_id: Name | None = None
    arm: Name | None = None
    probability: Annotated[float, Meta(ge=0, le=1)] | None = None
    flags: dict[str, str] = {}


_TRACE_FIELDS: dict[str, Any] = {
    "trace_id": TraceId | None,
    "span_id": SpanId | None,
    "parent_span_id": SpanId | None,
    "attempts": Annotated[int, Meta(ge=0, le=1_000_000)],
    "timings_ms": Timings | None,
    "failed_attempts": list[FailedAttemptRecord],
    "json_valid": bool | None,
    "probability": Annotated[float, Meta(ge=0, le=1)] | None,
    "flags": dict[str, str],
}
_decoder = msgspec.json.Decoder(_Line)
_encode_sorted = msgspec.json.Encoder(order="sorted").encode


class LineReader:
    """Remembers the second it read last, which most lines share."""

    def __init__(self) -> None:
        self._seconds: dict[str, int] = {}

    def read(self, chunk: bytes, log_file: int) -> tuple[list[CallRow], list[str]]:
        """The rows of whole lines, and what was wrong with those that are no records."""
        if _NUL not in chunk:
            try:
                return [self._row(line, log_file) for line in _decoder.decode_lines(chunk)], []
            except (msgspec.DecodeError, ValueError, RecursionError):
                pass
        rows: list[CallRow] = []
        unreadable: list[str] = []
        for line in chunk.split(b"\n"):
            if not line.strip():
                continue
            try:
                record, torn = _read_carefully(line)
                rows.append(self._row(record, log_file))
            except (msgspec.DecodeError, ValueError, RecursionError) as exc:
                unreadable.append(f"{exc}: {line[:80]!r}")
            else:
                unreadable += [f"a record that its writer left torn: {torn[:80]!r}"] if torn else []
        return rows, unreadable

    def _row(self, line: _Line, log_file: int) -> CallRow:
        stamp, tokens, cost = line.timestamp, line.token_usage, line.cost_nanousd
        second = self._seconds.get(stamp[:19])
        if second is None or len(stamp) != 24 or stamp[19] != "." or stamp[23] != "Z":
            day, started_at_ms = self._moment(stamp)
        else:
            day, started_at_ms = stamp[:10], second + int(stamp[20:23])
        unknown = line.requested_model is None or line.error_type == Unauthenticated.code
        if cost is UNSET:  # from before there was a ledger
            cost = 0 if tokens.source == "none" else None
        return CallRow(
            line.request_id,
            log_file,
            day,
            started_at_ms,
            None if unknown else line.tenant,
            line.key_id,
            line.user,
            line.operation,
            line.model,
            line.requested_model,
            line.provider,
            line.deployment,
            line.prompt_version,
            line.release_id,
            line.status,
            line.error_type,
            line.stream,
            line.cached,
            line.recovered,
            line.latency_ms,
            line.ttft_ms,
            tokens.prompt,
            tokens.completion,
            tokens.cached,
            tokens.cache_write,
            tokens.reasoning,
            tokens.source,
            cost,
            line.reserved_nanousd,
            _encode_sorted(line.tags).decode() if line.tags else "{}",
            line.cache,
            line.saved_nanousd,
            line.trace_id,
            line.span_id,
            line.parent_span_id,
            line.session,
            line.attempts,
            line.finish_reason,
            line.upstream_model,
            line.upstream_id,
            line.degraded,
            timings_text(line.timings_ms, line.failed_attempts),
            line.json_valid,
            line.rollout_id,
            line.arm,
            line.probability,
            _encode_sorted(line.flags).decode() if line.flags else None,
        )

    def _moment(self, stamp: str) -> tuple[str, int]:
        """Day and milliseconds since the epoch of a time in any form that ISO 8601 allows; `ValueError` otherwise."""
        at = datetime.fromisoformat(stamp)
        try:
            at = at.replace(tzinfo=UTC) if at.tzinfo is None else at.astimezone(UTC)
        except OverflowError as exc:
            raise ValueError(f"the time {stamp!r} lies outside all calendars") from exc
        second = int(at.replace(microsecond=0).timestamp()) * 1000
        if len(self._seconds) > 1000:
            self._seconds.clear()
        if stamp[:19] == at.isoformat()[:19]:
            self._seconds[stamp[:19]] = second
        return at.date().isoformat(), second + at.microsecond // 1000


def _read_carefully(line: bytes) -> tuple[_Line, bytes]:
    """The record of a line that may need mending, and what stood before it; `msgspec.DecodeError` or `ValueError` for
    what holds none."""
    begin = 0
    while True:
        rest = line[begin:]
        try:
            return _mended(rest) if _NUL in rest else _plain_or_mended(rest), line[:begin]
        except (msgspec.DecodeError, ValueError, RecursionError):
            begin = line.find(_BEGIN, begin + 1)  # within a record its quotes would be escaped
            if begin < 0:
                raise


def _plain_or_mended(line: bytes) -> _Line:
    try:
        return _decoder.decode(line)
    except msgspec.ValidationError:
        return _mended(line)


def _mended(line: bytes) -> _Line:
    raw = msgspec.json.decode(line)
    if not isinstance(raw, dict):
        raise ValueError("not a record")
    if len(str(raw.get("request_id"))) > 64:
        raise ValueError("not a request id of ours")
    fields = {field.name: raw[field.name] for field in msgspec.structs.fields(_Line) if field.name in raw}
    tags = fields.pop("tags", {})
    for name, kind in _TRACE_FIELDS.items():
        if name in fields and not _is(fields[name], kind):
            del fields[name]  # a trace that cannot be shown is no reason to lose what the call cost
    mended = _fitting(fields)
    if isinstance(tags, dict):
        mended["tags"] = {
            _without_nul(name): _without_nul(value) for name, value in tags.items() if isinstance(value, str)
        }
    return msgspec.convert(mended, _Line)


def _is(value: Any, kind: Any) -> bool:
    try:
        msgspec.convert(value, kind)
    except msgspec.ValidationError:
        return False
    return not isinstance(value, str) or "\0" not in value


def _fitting(value: Any) -> Any:
    if isinstance(value, str):
        return _without_nul(value)[:_MAX_NAME]
    if isinstance(value, int) and not isinstance(value, bool):
        return min(max(value, 0), MAX_AMOUNT)
    if isinstance(value, dict):
        return {name: _fitting(each) for name, each in value.items()}
    return value


def _without_nul(text: str) -> str:
    return text.replace("\0", "\N{REPLACEMENT CHARACTER}")
