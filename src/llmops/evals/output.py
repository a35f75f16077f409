"""What a subject answered to a case: its words, what it looked up, what it cost; or why there is no answer."""

from typing import Any

import msgspec


class Failure(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True):
    """Why there is no answer, or no score."""

    code: str
    """For machines: the error tree's codes, ``timeout``, ``exception``."""
    message: str

    @classmethod
    def of(cls, error: BaseException) -> "Failure":
        """What an exception says, in at most 500 characters."""
        code = getattr(error, "code", None)
        said = getattr(error, "message", None) or str(error)
        return cls(code=code if isinstance(code, str) else "exception", message=f"{type(error).__name__}: {said}"[:500])


class Passage(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True):
    """A retrieved text, in the order of the retriever."""

    id: str | None = None
    text: str | None = None
    score: float | None = None


class ToolCall(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True):
    name: str
    arguments: Any = None
    """Decoded JSON, or the text where it is none."""


class Output(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True):
    """Immutable, and written down before anything judges it: what was paid for is never asked for again."""

    text: str | None = None
    data: Any = None
    """What a callable returned that is no text."""
    passages: tuple[Passage, ...] = ()
    tool_calls: tuple[ToolCall, ...] = ()
    refusal: str | None = None
    finish_reason: str | None = None
    error: Failure | None = None
    """With one there is nothing else but times, tokens and money."""
    latency_ms: float | None = None
    ttft_ms: float | None = None
    tokens_in: int | None = None
    tokens_out: int | None = None
    cost_nanousd: int | None = None
    """None: nothing is known of its price, which is not free."""
    cached: bool = False
    """Served from a cache: no fresh observation, and never one of several repeats."""
    recovered: bool = False
    """This very cell's own answer, which an earlier process of the run had paid for: fresh, but nobody saw how long it
    took."""
    trace_id: str | None = None
    release_id: str | None = None
