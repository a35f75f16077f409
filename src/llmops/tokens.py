"""Tokens: estimated where no provider has counted them (before a call, and after one that reported none); summed up."""

import re
from collections.abc import Sequence

from .types import Usage

BYTES_PER_TOKEN = 4
"""The usual rule of thumb for English; bytes rather than characters, so that other scripts are not underestimated."""

_DATA_URL = re.compile(rb"[A-Za-z0-9+/=_-]{1024,}")
_IMAGE_TOKENS = 1500
_SMALL_BYTES = 16_384


def estimate_tokens(utf8_bytes: int) -> int:
    """Tokens in that many bytes of text, rounded up."""
    return -(-utf8_bytes // BYTES_PER_TOKEN)


def estimate_prompt(body: bytes) -> int:
    """Tokens of a whole request, instructions, tools and all; what is inlined as a data URL counts as one image each.

    A little too high, since the JSON around the words counts too: what is reserved is settled on the real count.
    """
    size = len(body)
    if size > _SMALL_BYTES:
        inlined = _DATA_URL.findall(body)
        size += len(inlined) * _IMAGE_TOKENS * BYTES_PER_TOKEN - sum(map(len, inlined))
    return estimate_tokens(size)


def total_of(usages: Sequence[Usage]) -> Usage:
    """What several attempts used together; as uncertain as the most uncertain of them."""
    return Usage(
        prompt=sum(usage.prompt for usage in usages),
        completion=sum(usage.completion for usage in usages),
        cached=sum(usage.cached for usage in usages),
        cache_write=sum(usage.cache_write for usage in usages),
        reasoning=sum(usage.reasoning for usage in usages),
        prompt_audio=sum(usage.prompt_audio for usage in usages),
        cached_audio=sum(usage.cached_audio for usage in usages),
        completion_audio=sum(usage.completion_audio for usage in usages),
        cache_write_1h=sum(usage.cache_write_1h for usage in usages),
        source="estimated" if any(usage.source == "estimated" for usage in usages) else "provider",
    )
