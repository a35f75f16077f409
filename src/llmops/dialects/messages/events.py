"""The events of a Messages stream: their names and their typed forms, shared by the tap and the reader."""

from typing import TypeVar

import msgspec

from ...errors import UpstreamBroken
from ..sse import Event
from .reply import StopDetails, WireBlock
from .usage import WireUsage


class _Message(msgspec.Struct):
    id: str | None = None
    model: str | None = None
    usage: WireUsage | None = None


class _MessageStart(msgspec.Struct):
    message: _Message


class _BlockStart(msgspec.Struct):
    content_block: WireBlock
    index: int = 0


class BlockDelta(msgspec.Struct):
    """The delta of a content block: one of its fields is set, by ``type``."""

    type: str = ""
    text: str | None = None
    thinking: str | None = None
    signature: str | None = None
    partial_json: str | None = None


class _BlockDeltaEvent(msgspec.Struct):
    delta: BlockDelta
    index: int = 0


class _BlockStop(msgspec.Struct):
    index: int = 0


class _End(msgspec.Struct):
    stop_reason: str | None = None
    stop_sequence: str | None = None
    stop_details: StopDetails | None = None


class _MessageDelta(msgspec.Struct):
    delta: _End
    usage: WireUsage | None = None


class _Typed(msgspec.Struct):
    type: str


MESSAGE_START = msgspec.json.Decoder(_MessageStart)
BLOCK_START = msgspec.json.Decoder(_BlockStart)
BLOCK_DELTA = msgspec.json.Decoder(_BlockDeltaEvent)
BLOCK_STOP = msgspec.json.Decoder(_BlockStop)
MESSAGE_DELTA = msgspec.json.Decoder(_MessageDelta)
_TYPED = msgspec.json.Decoder(_Typed)

_T = TypeVar("_T")


def decode_event(data: bytes, decoder: "msgspec.json.Decoder[_T]") -> _T:
    try:
        return decoder.decode(data)
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError) as exc:
        raise UpstreamBroken(f"the upstream sent an event that is not of a message stream: {exc}") from exc


def event_name(event: Event) -> bytes:
    """The event's name; a server that leaves it out has it in the data, as ``type``."""
    return event.name or decode_event(event.data, _TYPED).type.encode()
