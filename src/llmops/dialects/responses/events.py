"""The events of a Responses stream: their names, what is decoded of each, and how failures are told.

An event names itself twice, in its ``event:`` line and in its ``type`` member; the line is trusted, and the member
read only where a server leaves the line out.
"""

import msgspec

from ...errors import LLMOpsError, UpstreamBroken, UpstreamError
from ..dialect import WireError
from ..openai_errors import error_object, event_error, read_error
from ..sse import Event, write_event
from .logprobs import Logprob
from .output_items import decode_upstream
from .reply import Seconds, WireResponse

CREATED = b"response.created"
IN_PROGRESS = b"response.in_progress"
QUEUED = b"response.queued"
ITEM_ADDED = b"response.output_item.added"
ITEM_DONE = b"response.output_item.done"
TEXT_DELTA = b"response.output_text.delta"
REFUSAL_DELTA = b"response.refusal.delta"
ARGUMENTS_DELTA = b"response.function_call_arguments.delta"
SUMMARY_DELTA = b"response.reasoning_summary_text.delta"
REASONING_DELTA = b"response.reasoning_text.delta"
COMPLETED = b"response.completed"
INCOMPLETE = b"response.incomplete"
FAILED = b"response.failed"
ERROR = b"error"
DONE = b"[DONE]"
"""Not of this dialect, but some compatible servers close every stream with it."""

STARTS = frozenset({CREATED, IN_PROGRESS, QUEUED})
DELTAS = frozenset({TEXT_DELTA, REFUSAL_DELTA, ARGUMENTS_DELTA, SUMMARY_DELTA, REASONING_DELTA})
ENDS = frozenset({COMPLETED, INCOMPLETE})
FAILURES = frozenset({FAILED, ERROR})


class _Kind(msgspec.Struct):
    type: str | None = None
    error: msgspec.Raw = msgspec.Raw(b"null")


class DeltaText(msgspec.Struct):
    """All that a tap needs of a delta."""

    delta: str


class DeltaEvent(msgspec.Struct):
    """``content_index`` or ``summary_index`` (whichever the kind has) tells the parts of one item apart."""

    delta: str
    output_index: int = 0
    content_index: int = 0
    summary_index: int = 0
    logprobs: list[Logprob] | None = None


class ItemEvent(msgspec.Struct):
    item: msgspec.Raw
    output_index: int = 0


class StartedResponse(msgspec.Struct):
    id: str | None = None
    model: str | None = None
    created_at: Seconds | None = None


class StartEvent(msgspec.Struct):
    response: StartedResponse


class EndEvent(msgspec.Struct):
    response: WireResponse


class _Failure(msgspec.Struct):
    code: str | None = None
    message: str | None = None


class _FailedResponse(msgspec.Struct):
    error: _Failure | None = None


class _FailedEvent(msgspec.Struct):
    response: _FailedResponse | None = None


_KIND = msgspec.json.Decoder(_Kind)
_DELTA_TEXT = msgspec.json.Decoder(DeltaText)
_DELTA = msgspec.json.Decoder(DeltaEvent)
_ITEM_EVENT = msgspec.json.Decoder(ItemEvent)
_START = msgspec.json.Decoder(StartEvent)
_END = msgspec.json.Decoder(EndEvent)
_FAILED = msgspec.json.Decoder(_FailedEvent)


def event_kind(event: Event) -> bytes:
    """The event's type; raises on what is no event of this dialect, and on an unnamed error."""
    if event.name:
        return event.name
    if event.data == DONE:
        return DONE
    kind = decode_upstream(event.data, _KIND, "an event of a response")
    if kind.type is not None:
        return kind.type.encode("utf-8", "surrogatepass")
    if bytes(kind.error) != b"null":
        return ERROR
    raise UpstreamBroken("the upstream sent an event without a type", upstream_status=200)


def decode_delta_text(event: Event) -> str:
    return decode_upstream(event.data, _DELTA_TEXT, "a delta with a text").delta


def decode_delta(event: Event) -> DeltaEvent:
    return decode_upstream(event.data, _DELTA, "a delta with a text")


def decode_item_event(event: Event) -> ItemEvent:
    return decode_upstream(event.data, _ITEM_EVENT, "an event with an output item")


def decode_start(event: Event) -> StartedResponse:
    return decode_upstream(event.data, _START, "an event with a response").response


def decode_end(event: Event) -> WireResponse:
    return decode_upstream(event.data, _END, "an event with a response").response


def failure(kind: bytes, event: Event) -> UpstreamError:
    """What to raise for ``response.failed`` and ``error``."""
    if kind != FAILED:
        return event_error(read_error(200, event.data))
    response = decode_upstream(event.data, _FAILED, "an event with a response").response
    error = (response.error if response else None) or _Failure()
    return event_error(WireError(message=error.message or "(no message)", code=error.code))


def write_error_event(error: LLMOpsError, request_id: str) -> bytes:
    """An ``error`` event, told twice: flat as Responses defines it, and as the ``error`` object for which the official
    SDKs raise (they hand the flat form on as one more event). ``sequence_number`` is 0, as this border does not know
    how many events went before."""
    told = error_object(error)
    wire = {
        "type": "error",
        "code": told["code"],
        "message": told["message"],
        "param": told["param"],
        "sequence_number": 0,
        "error": {**told, "request_id": request_id},
    }
    return write_event(msgspec.json.encode(wire), ERROR)
