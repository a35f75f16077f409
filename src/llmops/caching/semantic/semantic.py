"""What the semantic cache is made of and what is counted of it. It outlives a reload.

Questions are remembered as what verification needs of them, and as text only where a judge reads it; they never leave
the process.
"""

import asyncio
from collections import Counter
from collections.abc import Awaitable, Callable, Coroutine
from contextlib import suppress
from typing import TYPE_CHECKING, Any

import msgspec

from ...types import Call
from .facts import Facts
from .question import Rules

if TYPE_CHECKING:
    from .index import SemanticIndex, Vector

Embed = Callable[[Call, str], "Awaitable[Vector]"]
"""A unit vector for a text, on behalf of a call. Raises `LLMOpsError`, or `ValueError` for what is no vector."""
Judge = Callable[[Call, str, str], Awaitable[bool]]
"""Whether two questions are the same, on behalf of a call. Raises `LLMOpsError`."""


class SemanticRules(msgspec.Struct, frozen=True, kw_only=True):
    """``takes`` says whether a model's calls take part."""

    threshold: float
    timeout_s: float = 1.0
    judge_timeout_s: float = 5.0
    questions: Rules = Rules()
    takes: Callable[[str], bool] = lambda name: True


class Known(msgspec.Struct, frozen=True, gc=False):
    """A question whose answer was kept."""

    facts: Facts
    text: str | None
    since_s: float


class Counts(msgspec.Struct):
    """Since the start. ``looked_up`` = ``hits`` + ``misses``; a refused candidate does not end a look-up."""

    looked_up: int = 0
    hits: int = 0
    misses: int = 0
    refused: Counter[str] = msgspec.field(default_factory=Counter)
    """Candidates above the threshold that were not the same, by the kind of reason; ``judge`` among them."""
    gone: int = 0
    """Whose answer the store had no longer."""
    failed: int = 0
    """Look-ups without an embedding, or without the judge's word."""
    learned: int = 0


class Semantic:
    """One for each process. ``source`` names the embedding model: vectors of another one are of no use."""

    def __init__(self, source: str, index: "SemanticIndex", embed: Embed | None) -> None:
        self.source = source
        self.index = index
        self.embed = embed
        """The local model; None where a model of the gateway embeds."""
        self.counts = Counts()
        self.last_failure: str | None = None
        self._learning: set[asyncio.Task[None]] = set()

    def learn_later(self, work: Coroutine[Any, Any, None]) -> None:
        """Run ``work`` beside the calls; it is ended by `aclose`."""
        task = asyncio.get_running_loop().create_task(work)
        self._learning.add(task)
        task.add_done_callback(self._learning.discard)

    def fail(self, error: BaseException) -> None:
        self.counts.failed += 1
        self.last_failure = str(error) or type(error).__name__

    async def settle(self) -> None:
        """Wait for what is being learned."""
        while self._learning:
            await asyncio.wait(self._learning)

    async def aclose(self) -> None:
        for task in list(self._learning):
            task.cancel()
            with suppress(asyncio.CancelledError):
                await task

    def view(self) -> dict[str, Any]:
        """For an operator."""
        counts: dict[str, Any] = msgspec.to_builtins(self.counts)
        return {"source": self.source, "questions": len(self.index), **counts, "last_failure": self.last_failure}
