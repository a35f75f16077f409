"""Facts in the events of a span: the messages of OpenTelemetry's GenAI conventions up to 1.36, and first tokens."""

from collections.abc import Iterator
from typing import Any, NamedTuple

from ..span import SpanEvent
from .texts import messages
from .values import MAX_SECONDS, name

DETAILS = "gen_ai.client.inference.operation.details"
"""An event whose attributes are those of a span."""

_SIDES = {
    "gen_ai.system.message": ("input_text", "content"),
    "gen_ai.user.message": ("input_text", "content"),
    "gen_ai.assistant.message": ("input_text", "content"),
    "gen_ai.tool.message": ("input_text", "content"),
    "gen_ai.content.prompt": ("input_text", "gen_ai.prompt"),
    "gen_ai.choice": ("output_text", "message"),
    "gen_ai.content.completion": ("output_text", "gen_ai.completion"),
}
_FIRST_TOKENS = {
    "First Token Stream Event",  # OpenInference
    "gen_ai.content.completion.chunk",  # OpenLLMetry, and as it was called before
    "llm.content.completion.chunk",
}


class Heard(NamedTuple):
    fact: str
    value: Any


def heard(events: list[SpanEvent], started_ns: int) -> Iterator[Heard]:
    """The facts of all events in their order; texts of one side come in pieces."""
    for event in events:
        side = _SIDES.get(event.name)
        if side is not None:
            fact, key = side
            attributes = event.attributes
            found = messages(attributes.get(key, attributes.get("content")))
            if found is not None:
                yield Heard(fact, found)
            if event.name == "gen_ai.choice" and (reason := name(attributes.get("finish_reason"))) is not None:
                yield Heard("finish_reason", reason)
        elif event.name in _FIRST_TOKENS and 0 <= event.at_ns - started_ns <= MAX_SECONDS * 10**9:
            yield Heard("ttft_us", (event.at_ns - started_ns) // 1000)
