"""What a wire dialect is: how requests, replies, streams and errors are read and written in one provider family's
format.

Each dialect lives in its own folder and offers one `Dialect` object, or the half that it needs: a `ClientDialect` if it
holds no conversation, an `UpstreamDialect` if no client speaks it. Two roads run through it. On the fast lane (client
and deployment speak the same dialect) bodies stay bytes: ``view`` and ``tap`` decode only what policies need, ``patch``
changes only what must change. Between dialects, ``read_*`` and ``write_*`` go through the neutral values of
`conversation`.
"""

from collections.abc import Iterable
from typing import Any, Protocol

import msgspec

from ..errors import InvalidRequest, LLMOpsError
from ..types import Call, Outcome, RequestView
from .conversation import Answer, Conversation, Delta, Uncarried
from .sse import Event


class StreamTap(Protocol):
    """Watches a stream that passes through in its own dialect, and fills the call's `Outcome`.

    ``feed`` takes the events just read and returns the bytes to forward (an event the client did not ask for is left
    out). It raises the matching `UpstreamError` on an error event or on data that is not of this dialect.
    """

    @property
    def has_content(self) -> bool:
        """The first content-bearing event has been seen: the stream is committed."""
        ...

    @property
    def finished(self) -> bool:
        """The dialect's end was seen; a stream that ends before that was cut."""
        ...

    def feed(self, events: list[Event]) -> bytes: ...

    def end(self) -> bytes:
        """The upstream closed after ``finished``: return what the client still needs (a missing terminator)."""
        ...


class StreamReader(Protocol):
    """Turns a dialect's events into neutral deltas: one `Started` first, one `Finished` for each choice."""

    finished: bool

    def feed(self, event: Event) -> list[Delta]: ...


class StreamWriter(Protocol):
    """Turns neutral deltas into a dialect's events."""

    def feed(self, deltas: Iterable[Delta]) -> bytes: ...

    def end(self) -> bytes:
        """Close the stream: what follows the last delta (final events, terminator)."""
        ...


class ErrorReader(Protocol):
    def read_error(self, status: int, body: bytes) -> "WireError":
        """What an error body says; a body that is not this dialect's error gives its first words as the message."""
        ...


class ClientDialect(ErrorReader, Protocol):
    """What every format that clients speak offers, also where there is no conversation to translate."""

    name: str

    def view(self, body: bytes) -> RequestView:
        """Decode what policies need; the first validation of a request."""
        ...

    def patch(self, body: bytes, model: str, *, ask_usage: bool) -> bytes:
        """The body for the upstream: ``model`` put in, usage asked for in a stream; nothing else touched."""
        ...

    def tap_reply(self, body: bytes, outcome: Outcome) -> None:
        """Check that ``body`` is a reply of this dialect and note usage, finish reason, model and text."""
        ...

    def write_error(self, error: LLMOpsError, request_id: str) -> bytes: ...


class UpstreamDialect(ErrorReader, Protocol):
    """What a translated call needs of the upstream's format. Readers raise `UpstreamBroken`."""

    name: str

    def write_request(self, conversation: Conversation, model: str, uncarried: Uncarried) -> bytes: ...

    def read_reply(self, body: bytes) -> Answer: ...

    def stream_reader(self) -> StreamReader: ...


class Dialect(ClientDialect, UpstreamDialect, Protocol):
    """One whole wire format. Readers raise `InvalidRequest` (requests) or `UpstreamBroken` (replies, events)."""

    def tap_stream(self, call: Call, outcome: Outcome) -> StreamTap: ...

    def read_request(self, body: bytes) -> Conversation: ...

    def write_reply(self, answer: Answer) -> bytes: ...

    def stream_writer(self, call: Call) -> StreamWriter: ...

    def write_error_event(self, error: LLMOpsError, request_id: str) -> bytes:
        """The explicit end of a stream that failed after its first content."""
        ...


class WireError(msgspec.Struct, frozen=True, kw_only=True):
    """An upstream's error body in neutral form."""

    message: str
    code: str | None = None
    param: str | None = None


def decode_request(body: bytes, decoder: "msgspec.json.Decoder[Any]") -> Any:
    """Decode a request with a typed ``decoder``; a failure is an `InvalidRequest` that names the place."""
    try:
        return decoder.decode(body)
    except msgspec.ValidationError as exc:
        what, _, where = str(exc).partition(" - at `$")
        path = where.rstrip("`").lstrip(".") or None
        raise InvalidRequest(f"{what}{f' (at {path!r})' if path else ''}", param=path) from exc
    except (msgspec.DecodeError, UnicodeDecodeError) as exc:
        raise InvalidRequest(f"the body is not valid JSON: {exc}") from exc
    except RecursionError as exc:
        raise InvalidRequest("the body is nested too deeply; at most 64 levels are accepted") from exc


def plain_error(body: bytes) -> WireError:
    """An error body of no known shape: its first 200 characters, or a note that it was empty."""
    text = body[:200].decode("utf-8", "replace").strip()
    return WireError(message=text or "(no message)")


_RAW_OBJECT: "msgspec.json.Decoder[dict[str, msgspec.Raw]]" = msgspec.json.Decoder(dict[str, msgspec.Raw])


def patch_fields(body: bytes, changes: dict[str, Any], merges: dict[str, dict[str, Any]] | None = None) -> bytes:
    """Set top-level fields of a JSON object without rebuilding the others: their bytes are copied as they are.

    ``merges`` are laid over objects that the body may hold already: their other members stay.
    """
    fields = _RAW_OBJECT.decode(body)
    for name, value in changes.items():
        fields[name] = msgspec.Raw(msgspec.json.encode(value))
    for name, members in (merges or {}).items():
        present = fields.get(name)
        held = msgspec.json.decode(present) if present is not None else None
        fields[name] = msgspec.Raw(msgspec.json.encode({**(held or {}), **members}))
    return msgspec.json.encode(fields)
