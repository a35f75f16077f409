r"""Server-sent events: bytes in any chunking to whole events, and back.

Follows the WHATWG event-stream grammar: lines end in LF, CR or CRLF, a blank line ends an event, lines that start
with ``:`` are comments, one space after the colon belongs to the syntax, a byte-order mark at the start is skipped,
and an event that the end of the stream cuts off is not an event.

Newlines are folded to LF first (only once a stream has shown a CR), so that events are found with C-speed searches.
Not covered: ``id`` and ``retry`` (no model API uses them); they are skipped.
"""

import msgspec

from ..errors import UpstreamBroken

MAX_EVENT_BYTES = 16 * 1024 * 1024

_BOM = b"\xef\xbb\xbf"


class Event(msgspec.Struct, frozen=True, gc=False):
    """One server-sent event: its ``data`` (several data lines joined by LF) and its ``name`` (``event:``), if any."""

    data: bytes
    name: bytes = b""


class EventParser:
    """A state machine over chunks: ``feed`` returns the events that became complete."""

    def __init__(self, max_event_bytes: int = MAX_EVENT_BYTES) -> None:
        self._max_event_bytes = max_event_bytes
        self._held: list[bytes] = []
        self._held_bytes = 0
        self._at_start = True
        self._has_cr = False
        self._skip_lf = False

    @property
    def pending(self) -> bool:
        """Whether bytes of an unfinished event are held: at the end of a stream, the sign of a cut."""
        return any(part.strip(b"\n") for part in self._held)

    def feed(self, chunk: bytes) -> list[Event]:
        """Take the next bytes; return whole events in order.

        Raises `UpstreamBroken` when an event grows past ``max_event_bytes``.
        """
        if self._at_start:
            chunk = self._without_bom(chunk)
        if self._has_cr or b"\r" in chunk:
            chunk = self._with_lf_only(chunk)
        if b"\n\n" not in chunk and not self._ends_held(chunk):  # joining is left until an event ends
            if chunk:
                self._hold(chunk)
            return []
        if self._held:
            chunk = b"".join([*self._held, chunk])
            self._held.clear()
            self._held_bytes = 0
        if chunk.endswith(b"\n\n"):
            blocks = chunk[:-2].split(b"\n\n")
        else:
            *blocks, rest = chunk.split(b"\n\n")
            self._hold(rest)
        return [event for block in blocks if (event := _parse_block(block)) is not None]

    def _ends_held(self, chunk: bytes) -> bool:
        """Whether the blank line that ends an event lies across the last chunk and this one."""
        return chunk.startswith(b"\n") and bool(self._held) and self._held[-1].endswith(b"\n")

    def _hold(self, part: bytes) -> None:
        self._held.append(part)
        self._held_bytes += len(part)
        if self._held_bytes > self._max_event_bytes:
            raise UpstreamBroken(f"the upstream sent one event of more than {self._max_event_bytes} bytes")

    def _without_bom(self, chunk: bytes) -> bytes:
        start = b"".join([*self._held, chunk])
        self._held.clear()
        self._held_bytes = 0
        if len(start) < len(_BOM) and _BOM.startswith(start):
            self._hold(start)
            return b""
        self._at_start = False
        return start.removeprefix(_BOM)

    def _with_lf_only(self, chunk: bytes) -> bytes:
        """Turn CR and CRLF into LF; a CRLF may lie across two chunks."""
        self._has_cr = True
        if self._skip_lf and chunk:
            chunk = chunk.removeprefix(b"\n")
            self._skip_lf = False
        if chunk.endswith(b"\r"):
            self._skip_lf = True
        return chunk.replace(b"\r\n", b"\n").replace(b"\r", b"\n")


def _parse_block(block: bytes) -> Event | None:
    if block.startswith(b"data: ") and b"\n" not in block:
        return Event(block[6:])
    data: list[bytes] = []
    name = b""
    for line in block.split(b"\n"):
        field, _, value = line.partition(b":")
        value = value.removeprefix(b" ")
        if field == b"data":
            data.append(value)
        elif field == b"event":
            name = value
    return Event(b"\n".join(data), name) if data else None


def write_event(data: bytes, name: bytes = b"") -> bytes:
    """One event as bytes. ``data`` must be a single line, as JSON text is."""
    if name:
        return b"event: %b\ndata: %b\n\n" % (name, data)
    return b"data: %b\n\n" % data
