"""A kept answer as the reply to another call: a whole body, or a stream of the same events, one after the other."""

from typing import Self

from ..types import CacheNote, Call, Outcome, Reply
from .entry import Entry


def replay(entry: Entry, call: Call, note: CacheNote, now_s: float) -> Reply:
    """The reply of today; it settles at zero. ``now_s`` is monotonic."""
    outcome = Outcome(
        usage=entry.usage,
        finish_reason=entry.finish_reason,
        model=entry.upstream_model,
        upstream_id=entry.upstream_id,
        output_chars=entry.output_chars,
        text=entry.text,
        first_content_s=now_s,
    )
    call.dropped = list(entry.dropped)
    return Reply(
        status=entry.status,
        body=entry.body,
        stream=None if entry.chunks is None else _KeptStream(entry.chunks),
        outcome=outcome,
        cached=True,
        cache=note,
        json_valid=entry.json_valid,
    )


class _KeptStream:
    __slots__ = ("_chunks", "_next")

    def __init__(self, chunks: list[bytes]) -> None:
        self._chunks = chunks
        self._next = 0

    def __aiter__(self) -> Self:
        return self

    async def __anext__(self) -> bytes:
        if self._next >= len(self._chunks):
            raise StopAsyncIteration
        chunk = self._chunks[self._next]
        self._next += 1
        return chunk

    async def aclose(self) -> None:
        self._next = len(self._chunks)
