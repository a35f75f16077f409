"""Estimating tokens where no provider has counted them: before a call, and after one that reported no usage."""

import re

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
