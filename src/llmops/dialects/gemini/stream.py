"""Streamed ``generateContent`` (``alt=sse``) as neutral deltas.

Every event is a whole ``GenerateContentResponse`` with the next parts; calls arrive whole, usage is cumulative. The
stream has no terminator: it is finished once every candidate that started has named its finish reason, or the prompt
was blocked. Media in a stream has no neutral delta, so it is refused rather than lost.
"""

from ...errors import UpstreamBroken
from ..conversation import (
    Delta,
    Finished,
    Part,
    Reasoning,
    ReasoningDelta,
    Started,
    Text,
    TextDelta,
    ToolCall,
    ToolCallDelta,
    ToolCallStarted,
    UsageReported,
)
from ..sse import Event
from .reply import (
    UNFINISHED,
    CallIds,
    WireCandidate,
    WireResponse,
    decode_response,
    read_finish,
    read_logprobs,
    read_parts,
    read_usage,
)


class GeminiStreamReader:
    """Events to deltas: one `Started` first, one `Finished` for each choice."""

    def __init__(self) -> None:
        self.finished = False
        self._ids: CallIds | None = None
        self._calls: dict[int, int] = {}
        """Calls seen so far in each choice that started."""
        self._done: set[int] = set()

    def feed(self, event: Event) -> list[Delta]:
        response = decode_response(event.data)
        deltas: list[Delta] = []
        ids = self._ids
        if ids is None:
            ids = self._ids = CallIds(response.response_id)
            deltas.append(_start(response))
        for position, candidate in enumerate(response.candidates or ()):
            self._read_candidate(candidate, position, ids, deltas)
        if response.blocked:
            self._block(deltas)
        self.finished = bool(self._done) and len(self._done) == len(self._calls)
        if response.usage_metadata is not None:
            deltas.append(UsageReported(read_usage(response.usage_metadata)))
        return deltas

    def _read_candidate(self, wire: WireCandidate, position: int, ids: CallIds, deltas: list[Delta]) -> None:
        choice = position if wire.index is None else wire.index
        self._calls.setdefault(choice, 0)
        logprobs = read_logprobs(wire.logprobs_result)
        parts = read_parts(wire.content, ids)
        if choice in self._done:
            if parts:
                raise UpstreamBroken(f"the upstream sent more of choice {choice} after its end")
            return
        for part in parts:
            if isinstance(part, Text):
                deltas.append(TextDelta(part.text, choice, logprobs))
                logprobs = None
            else:
                self._read_part(part, choice, deltas)
        if logprobs is not None:
            deltas.append(TextDelta("", choice, logprobs))
        if wire.finish_reason and wire.finish_reason != UNFINISHED:
            reason = read_finish(wire.finish_reason, called=self._calls[choice] > 0)
            self._done.add(choice)
            deltas.append(Finished(reason=reason, choice=choice))

    def _read_part(self, part: Part, choice: int, deltas: list[Delta]) -> None:
        match part:
            case Reasoning():
                deltas.append(ReasoningDelta(text=part.text, signature=part.signature, choice=choice))
            case ToolCall():
                index = self._calls[choice]
                self._calls[choice] += 1
                deltas.append(
                    ToolCallStarted(index=index, id=part.id, name=part.name, choice=choice, signature=part.signature)
                )
                deltas.append(ToolCallDelta(index=index, arguments=part.arguments, choice=choice))
            case _:
                raise UpstreamBroken(
                    "the upstream streamed an image or another file, which a translated stream "
                    "cannot carry; ask for it without streaming"
                )

    def _block(self, deltas: list[Delta]) -> None:
        for choice in (self._calls or {0: 0}).keys() - self._done:
            self._calls.setdefault(choice, 0)
            self._done.add(choice)
            deltas.append(Finished(reason="content_filter", choice=choice))


def _start(response: WireResponse) -> Started:
    usage = read_usage(response.usage_metadata) if response.usage_metadata is not None else None
    return Started(
        id=response.response_id or "", model=response.model_version or "", created_s=response.created_s, usage=usage
    )
