"""Estimating tokens where no provider has counted them: before a call, and after one that reported no usage."""

BYTES_PER_TOKEN = 4
"""The usual rule of thumb for English; bytes rather than characters, so that other scripts are not underestimated."""


def estimate_tokens(utf8_bytes: int) -> int:
    """Tokens in that many bytes of text, rounded up."""
    return -(-utf8_bytes // BYTES_PER_TOKEN)
