"""Anthropic's token counts.

``input_tokens`` leaves out what the cache served or stored, our `Usage.prompt` includes it. In a stream the input
side comes with ``message_start`` and the cumulative output with ``message_delta``, which may repeat the input side.

Not covered, because `Usage` has no place for it: server tools' requests.
"""

from typing import Annotated, Any

import msgspec

from ...types import NO_USAGE, Usage, UsageSource

Count = Annotated[int, msgspec.Meta(ge=0)]


class _OutputDetails(msgspec.Struct):
    thinking_tokens: Count | None = None


class _CacheCreation(msgspec.Struct):
    ephemeral_1h_input_tokens: Count | None = None


class WireUsage(msgspec.Struct):
    input_tokens: Count | None = None
    output_tokens: Count | None = None
    cache_read_input_tokens: Count | None = None
    cache_creation_input_tokens: Count | None = None
    cache_creation: _CacheCreation | None = None
    output_tokens_details: _OutputDetails | None = None


def read_usage(wire: WireUsage | None, source: UsageSource = "provider") -> Usage:
    if wire is None:
        return NO_USAGE
    cached, cache_write = wire.cache_read_input_tokens or 0, wire.cache_creation_input_tokens or 0
    return Usage(
        prompt=(wire.input_tokens or 0) + cached + cache_write,
        completion=wire.output_tokens or 0,
        cached=cached,
        cache_write=cache_write,
        cache_write_1h=(wire.cache_creation.ephemeral_1h_input_tokens if wire.cache_creation else None) or 0,
        reasoning=(wire.output_tokens_details.thinking_tokens if wire.output_tokens_details else None) or 0,
        source=source,
    )


def write_usage(usage: Usage) -> dict[str, Any]:
    """Always written, zeros where nothing is known: the dialect's clients expect it in every answer."""
    wire: dict[str, Any] = {
        "input_tokens": max(usage.prompt - usage.cached - usage.cache_write, 0),
        "cache_creation_input_tokens": usage.cache_write,
        "cache_read_input_tokens": usage.cached,
        "output_tokens": usage.completion,
    }
    if usage.cache_write_1h:
        wire["cache_creation"] = {
            "ephemeral_5m_input_tokens": max(usage.cache_write - usage.cache_write_1h, 0),
            "ephemeral_1h_input_tokens": usage.cache_write_1h,
        }
    if usage.reasoning:
        wire["output_tokens_details"] = {"thinking_tokens": usage.reasoning}
    return wire


class StreamUsage:
    """The usage of one stream, gathered from its events.

    Until a ``message_delta`` has told the output side, what is known is marked "estimated": a stream that is cut
    before must not settle on the few output tokens that ``message_start`` names.
    """

    def __init__(self) -> None:
        self._known: WireUsage | None = None

    def start(self, wire: WireUsage | None) -> Usage:
        self._known = wire
        return read_usage(wire, "estimated")

    def update(self, wire: WireUsage) -> Usage:
        known = self._known
        if known is not None:
            for name in WireUsage.__struct_fields__:
                if getattr(wire, name) is None:
                    setattr(wire, name, getattr(known, name))
        self._known = wire
        return read_usage(wire)
