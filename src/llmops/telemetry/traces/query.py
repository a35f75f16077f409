"""What is asked of the trace store, and what it answers: filters, orders, positions in a long list.

A list is read page by page by position (keyset), so that what comes in meanwhile neither repeats nor hides anything. A
page may end before it is full because enough has been looked through for one request: its cursor goes on there.
"""

from base64 import urlsafe_b64decode, urlsafe_b64encode
from binascii import Error
from typing import Literal

import msgspec

from ...errors import InvalidRequest

Order = Literal["newest", "slowest", "dearest"]
ORDERS: tuple[Order, ...] = ("newest", "slowest", "dearest")
Listing = Literal["newest", "slowest", "dearest", "sessions", "spans"]
"""What a cursor may be of."""
State = Literal["ok", "error"]
MAX_PAGE = 1000


class TraceFilter(msgspec.Struct, frozen=True, kw_only=True):
    """What a trace has to be; None does not matter. ``tenant`` None stands for all tenants: only an administrator may
    ask that. ``text`` are words that were captured."""

    tenant: str | None = None
    since_us: int | None = None
    until_us: int | None = None
    user: str | None = None
    session: str | None = None
    model: str | None = None
    release_id: str | None = None
    state: State | None = None
    status: int | None = None
    """Of a call; what came in as spans has none."""
    min_latency_ms: float | None = None
    min_cost_nanousd: int | None = None
    text: str | None = None

    def cleaned(self) -> "TraceFilter":
        """With texts as they are stored: PostgreSQL has no NUL."""
        texts = {
            name: value.replace("\0", "\N{REPLACEMENT CHARACTER}")
            for name in self.__struct_fields__
            if isinstance(value := getattr(self, name), str)
        }
        return msgspec.structs.replace(self, **texts)


class Position(msgspec.Struct, frozen=True, array_like=True, order=True):
    """A place in an order that falls: what comes later is smaller. ``key`` is microseconds, or nano-dollars."""

    key: float
    id: str


class TraceItem(msgspec.Struct, kw_only=True):
    """One line of a list. ``source``: a call through this gateway, or a trace of which spans came in.

    Tokens and cost are those of the gateway's calls where there are any, otherwise what the spans state.
    """

    source: Literal["call", "spans"]
    trace_id: str
    span_id: str | None = None
    tenant: str | None
    started_us: int
    duration_us: int
    name: str | None
    service: str | None = None
    model: str | None = None
    session: str | None = None
    user: str | None = None
    release_id: str | None = None
    status: int | None = None
    error_type: str | None = None
    calls: int = 0
    spans: int = 0
    errors: int = 0
    input_tokens: int = 0
    output_tokens: int = 0
    cost_nanousd: int | None = 0
    ranked_nanousd: int | None = None
    """In the order ``dearest``, what gave it its place: the cost of the dearest of its calls, or what its spans
    state."""


class Found(msgspec.Struct):
    """A part of a list from one source. Nothing is missing above ``frontier``; None: nothing at all is."""

    items: list[tuple[Position, TraceItem]]
    frontier: Position | None = None


class TracePage(msgspec.Struct):
    """``cursor`` None: there is no more. ``is_full`` False: the page ends because enough was looked through."""

    items: list[TraceItem]
    cursor: str | None = None
    is_full: bool = True
    texts_cut: bool = False
    """More texts hold the words than are looked at: only the newest are part of this."""


def merged(parts: list[Found], limit: int) -> tuple[list[tuple[Position, TraceItem]], Position | None]:
    """The first ``limit`` items of several sources, and where the list goes on."""
    items = sorted((item for part in parts for item in part.items), key=lambda item: item[0], reverse=True)
    frontiers = [part.frontier for part in parts if part.frontier is not None]
    frontier = max(frontiers) if frontiers else None
    known = [item for item in items if frontier is None or item[0] >= frontier]
    if len(known) > limit:
        return known[:limit], known[limit - 1][0]
    return known, frontier


class _Cursor(msgspec.Struct, array_like=True):
    order: str
    key: float
    id: str
    top: float | None = None


def write_cursor(order: Listing, position: Position, top: float | None = None) -> str:
    """``top``: the key of the list's very first item, for `read_top`."""
    raw = msgspec.json.encode(_Cursor(order, position.key, position.id, top))
    return urlsafe_b64encode(raw).decode().rstrip("=")


def read_cursor(order: Listing, cursor: str) -> Position:
    """`InvalidRequest` for what is none of ours, or of another order."""
    found = _read(cursor)
    if found.order != order or "\0" in found.id or len(found.id) > 1000:
        raise InvalidRequest(f"the cursor is of a list ordered by {found.order[:20]!r}, not {order!r}", param="cursor")
    return Position(found.key, found.id)


def read_top(cursor: str) -> float | None:
    """Where the list began whose cursor this is."""
    return _read(cursor).top


def _read(cursor: str) -> _Cursor:
    try:
        raw = urlsafe_b64decode(cursor.encode("ascii") + b"=" * (-len(cursor) % 4))
        return msgspec.json.decode(raw, type=_Cursor)
    except (Error, ValueError, msgspec.DecodeError, RecursionError) as exc:
        raise InvalidRequest(f"the cursor {cursor[:60]!r} is none of ours", param="cursor") from exc
