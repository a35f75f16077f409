"""What becomes of one call, worked out from its trace id: client and upstream agree on it without a word.

The trace id is the one name that a call has on both sides of the gateway and in its log line.
"""

import random
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

PRICES = {
    "alpha": {"input": 2.5, "cached_input": 1.25, "output": 10},
    "beta": {"input": 0.1, "cached_input": 0.05, "output": 0.4},
}
_NANOUSD = {name: [int(1000 * price[kind]) for kind in price] for name, price in PRICES.items()}
"""Input, cached input, output: nano-dollars a token."""
LETTER = "w"
"""Stands nowhere in a chunk but in its text, so that text can be counted without reading JSON."""
_PATHS = ("/v1/chat/completions",) * 8 + ("/v1/messages", "/v1/responses")


@dataclass(frozen=True)
class Plan:
    """``first_s`` until the upstream answers; a stream of ``chunks`` pieces, ``pause_s`` between two of them."""

    model: str = "alpha"
    path: str = _PATHS[0]
    stream: bool = True
    tools: bool = False
    first_s: float = 0.0
    chunks: int = 5
    pause_s: float = 0.01
    piece: str = "words and "
    prompt_tokens: int = 100
    cached_tokens: int = 0
    completion_tokens: int = 50

    @property
    def nanousd(self) -> int:
        """What the call costs, by a sum that has nothing to do with the gateway's."""
        full, cached, output = _NANOUSD[self.model]
        fresh = self.prompt_tokens - self.cached_tokens
        return fresh * full + self.cached_tokens * cached + self.completion_tokens * output

    def body(self, words: int) -> dict[str, Any]:
        """The request, with a prompt of so many words."""
        prompt = "tell me about the weather " * (words // 5 + 1)
        body: dict[str, Any] = {"model": self.model, "stream": self.stream}
        if self.path == "/v1/responses":
            return {**body, "input": prompt}
        body["messages"] = [{"role": "user", "content": prompt}]
        if self.path == "/v1/messages":
            return {**body, "max_tokens": 4000}
        if self.tools:
            schema = {"type": "object", "properties": {"city": {"type": "string"}}}
            body["tools"] = [{"type": "function", "function": {"name": "weather", "parameters": schema}}]
        return body


PlanOf = Callable[[str], Plan]


def mixed(trace_id: str) -> Plan:
    """Half streams; most quick, some slow; some with tools; three dialects, two models."""
    luck = random.Random(trace_id)
    stream, slow = luck.random() < 0.5, luck.random() < 0.15
    prompt = luck.randrange(1, 5000)
    path = luck.choice(_PATHS)
    return Plan(
        model=luck.choice(list(PRICES)),
        path=path,
        stream=stream,
        tools=path == _PATHS[0] and luck.random() < 0.2,
        first_s=luck.uniform(0.2, 1.0) if slow else luck.uniform(0.0, 0.05),
        chunks=luck.randrange(2, 12),
        pause_s=luck.uniform(0.05, 0.15) if slow else luck.uniform(0.0, 0.02),
        piece=LETTER * luck.randrange(1, 60),
        prompt_tokens=prompt,
        cached_tokens=luck.randrange(prompt),
        completion_tokens=luck.randrange(1, 3000),
    )


def long_streams(trace_id: str) -> Plan:
    """Streams that nobody reads to their end; some calls in one piece that take as long."""
    luck = random.Random(trace_id)
    if luck.random() < 0.1:
        return Plan(stream=False, first_s=60.0)
    first_s = luck.choice((0.0, 0.02, 0.1, 0.4))
    return Plan(first_s=first_s, chunks=100_000, pause_s=luck.uniform(0.01, 0.05), piece=LETTER * luck.randrange(1, 60))
