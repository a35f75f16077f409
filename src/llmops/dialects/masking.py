"""What the request log may know of a message: its role, a hash and a length, taken from the raw JSON of its content."""

import msgspec

from ..errors import InvalidRequest
from ..types import MessageView

_STRING = msgspec.json.Decoder(str)


def message_view(role: str, content: msgspec.Raw) -> MessageView:
    """Text content is seen as its UTF-8 bytes, with its length in characters; content parts as their raw JSON."""
    raw = bytes(content)
    if raw[:1] == b'"':
        try:
            text = _STRING.decode(raw)
        except (msgspec.DecodeError, UnicodeDecodeError) as exc:  # what was skipped over is first looked at here
            raise InvalidRequest(f"the body is not valid JSON: {exc}", param="messages") from exc
        return MessageView(role, text.encode("utf-8", "surrogatepass"), len(text))
    if raw == b"null":
        return MessageView(role, b"", 0)
    return MessageView(role, raw, len(raw))
