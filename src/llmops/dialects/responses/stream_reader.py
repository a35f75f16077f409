"""A Responses stream into neutral deltas.

Deltas are taken as they come. Servers that skip some of them are caught up with: what an item's end (or, where nothing
was streamed at all, the response's end) shows and no delta has brought is given then.
"""

from ...errors import UpstreamBroken
from ..conversation import (
    Delta,
    Finished,
    Lost,
    Reasoning,
    ReasoningDelta,
    Refusal,
    RefusalDelta,
    Started,
    Text,
    TextDelta,
    ToolCall,
    ToolCallDelta,
    ToolCallStarted,
    UsageReported,
)
from ..sse import Event
from .events import (
    ARGUMENTS_DELTA,
    DELTAS,
    ENDS,
    FAILURES,
    ITEM_ADDED,
    ITEM_DONE,
    REFUSAL_DELTA,
    STARTS,
    TEXT_DELTA,
    DeltaEvent,
    StartedResponse,
    decode_delta,
    decode_end,
    decode_item_event,
    decode_start,
    event_kind,
    failure,
)
from .logprobs import to_chat
from .output_items import CallItem, OutputItem, annotated, decode_item, item_logprobs, item_parts, understood
from .reply import WireResponse, check_failed, read_finish, read_usage


class ResponsesStreamReader:
    """Events to deltas; unknown kinds of event (progress, annotations) say nothing here."""

    def __init__(self) -> None:
        self.finished = False
        self._started = False
        self._calls: dict[int, int] = {}
        """Output index of each tool call to its number among the tool calls."""
        self._streamed: set[int] = set()
        """Output indexes of which some content was given."""
        self._thought: tuple[int, bytes, int] | None = None
        """Item, kind and part of the last reasoning delta."""

    def feed(self, event: Event) -> list[Delta]:
        if self.finished:
            return []
        kind = event_kind(event)
        deltas: list[Delta] = []
        if kind in DELTAS:
            self._read_delta(kind, decode_delta(event), deltas)
        elif kind == ITEM_ADDED or kind == ITEM_DONE:
            wire = decode_item_event(event)
            item = understood(decode_item(wire.item))
            if isinstance(item, CallItem):
                self._start_call(wire.output_index, item, deltas)
            if kind == ITEM_DONE:
                self._complete(wire.output_index, item, deltas)
        elif kind in ENDS:
            self._read_end(decode_end(event), deltas)
        elif kind in FAILURES:
            raise failure(kind, event)
        elif kind in STARTS and not self._started:
            return [self._start(decode_start(event))]
        if deltas and not self._started:
            deltas.insert(0, self._start(StartedResponse()))
        return deltas

    def _start(self, response: StartedResponse) -> Started:
        self._started = True
        return Started(id=response.id or "", model=response.model or "", created_s=int(response.created_at or 0))

    def _read_delta(self, kind: bytes, wire: DeltaEvent, deltas: list[Delta]) -> None:
        if not wire.delta and not wire.logprobs:
            return
        self._streamed.add(wire.output_index)
        if kind == TEXT_DELTA:
            deltas.append(TextDelta(wire.delta, logprobs=to_chat(wire.logprobs or [])))
        elif kind == REFUSAL_DELTA:
            deltas.append(RefusalDelta(wire.delta))
        elif kind == ARGUMENTS_DELTA:
            number = self._calls.get(wire.output_index)
            if number is None:
                raise UpstreamBroken(
                    f"the upstream sent arguments for output {wire.output_index}, where no function call has begun",
                    upstream_status=200,
                )
            deltas.append(ToolCallDelta(index=number, arguments=wire.delta))
        else:
            place = (wire.output_index, kind, wire.summary_index or wire.content_index)
            before, self._thought = self._thought, place
            gap = before is not None and before != place and before[0] == wire.output_index
            deltas.append(ReasoningDelta(text=f"\n\n{wire.delta}" if gap else wire.delta))

    def _start_call(self, output_index: int, item: CallItem, deltas: list[Delta]) -> None:
        if output_index in self._calls:
            return
        number = self._calls[output_index] = len(self._calls)
        deltas.append(
            ToolCallStarted(
                index=number,
                id=item.call_id or item.id or f"call_{number}",
                name=item.name or "",
                signature=item.signature,
            )
        )

    def _complete(self, output_index: int, item: OutputItem, deltas: list[Delta]) -> None:
        """Give what no delta has brought: a part's whole content, and always the sealed side of reasoning."""
        fresh = output_index not in self._streamed
        self._streamed.add(output_index)
        logprobs = to_chat(item_logprobs(item))
        if annotated(item):
            deltas.append(Lost("annotations"))
        for part in item_parts(item):
            match part:
                case Reasoning():
                    if fresh and part.text:
                        deltas.append(ReasoningDelta(text=part.text))
                    if part.signature or part.encrypted:
                        deltas.append(ReasoningDelta(signature=part.signature, encrypted=part.encrypted))
                case Text() if fresh:
                    deltas.append(TextDelta(part.text, logprobs=logprobs))
                    logprobs = None
                case Refusal() if fresh:
                    deltas.append(RefusalDelta(part.text))
                case ToolCall() if fresh and part.arguments:
                    deltas.append(ToolCallDelta(index=self._calls[output_index], arguments=part.arguments))

    def _read_end(self, wire: WireResponse, deltas: list[Delta]) -> None:
        check_failed(wire)
        if not self._started:
            deltas.append(self._start(StartedResponse(id=wire.id, model=wire.model, created_at=wire.created_at)))
        if not self._streamed and not self._calls:
            for number, raw in enumerate(wire.output):
                item = understood(decode_item(raw))
                if isinstance(item, CallItem):
                    self._start_call(number, item, deltas)
                self._complete(number, item, deltas)
        self.finished = True
        deltas.append(Finished(reason=read_finish(wire, has_calls=bool(self._calls))))
        if wire.usage is not None:
            deltas.append(UsageReported(read_usage(wire.usage)))
