"""A place for reasoning signatures in a dialect that has none: they ride inside ``encrypted_content``.

Anthropic's thinking blocks come with a signature that must come back unchanged on the next turn, or the provider
refuses the history. Responses clients echo ``encrypted_content`` as it is, so a signature is sealed into it, under a
marker that providers' own contents never start with, and taken out again when the client sends it back.
"""

from ..conversation import Reasoning

_MARKER = "llmops-signature:"


def seal(signature: str | None, encrypted: str | None) -> str | None:
    """What goes into ``encrypted_content``: ``encrypted`` alone stays as it is."""
    if not signature:
        return encrypted or None
    return f"{_MARKER}{len(signature)}:{signature}{encrypted or ''}"


def unseal(text: str, content: str | None) -> Reasoning:
    """The `Reasoning` with ``text`` whose ``encrypted_content`` is ``content``."""
    if content and content.startswith(_MARKER):
        length, colon, rest = content[len(_MARKER) :].partition(":")
        if colon and length.isascii() and length.isdigit() and len(length) <= 9 and 0 < int(length) <= len(rest):
            size = int(length)
            return Reasoning(text=text, signature=rest[:size], encrypted=rest[size:] or None)
    return Reasoning(text=text, encrypted=content or None)
