"""One kept answer, as bytes and back.

The first byte is the format's number. What does not decode (an older format, damage, somebody else's bytes) is
`Unreadable`, which is a miss that is counted, never an error and never a guess. Times are seconds since the epoch, so
that entries mean the same in every process.
"""

import msgspec

from ..types import Usage

FORMAT = b"\x01"


class Unreadable(Exception):
    """Bytes that are no entry of this format."""


class Entry(msgspec.Struct, frozen=True, kw_only=True, array_like=True, gc=False):
    """A whole ``body``, or a stream's ``chunks`` of whole events; and what a reply says beside them."""

    stored_s: float
    fresh_until_s: float
    body: bytes = b""
    chunks: list[bytes] | None = None
    status: int = 200
    usage: Usage = Usage()
    finish_reason: str | None = None
    upstream_model: str | None = None
    upstream_id: str | None = None
    output_chars: int = 0
    text: str | None = None
    json_valid: bool | None = None
    deployment: str = ""
    """Whose answer it was, by its name in the configuration."""
    dropped: list[str] = []
    """What the upstream's dialect could not carry of the question or the answer."""


_ENCODER = msgspec.msgpack.Encoder()
_DECODER = msgspec.msgpack.Decoder(Entry)


def write_entry(entry: Entry) -> bytes:
    return FORMAT + _ENCODER.encode(entry)


def read_entry(data: bytes) -> Entry:
    """Raises `Unreadable`."""
    if data[:1] != FORMAT:
        raise Unreadable(f"format {data[:1]!r}; this version reads {FORMAT!r}")
    try:
        return _DECODER.decode(memoryview(data)[1:])
    except (msgspec.DecodeError, UnicodeDecodeError) as exc:
        raise Unreadable(str(exc)) from exc
