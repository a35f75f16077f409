"""The proof that Gemini wants back with a tool call (`ToolCall.signature`), in dialects that have no field for it.

It rides as ``extra_content.google.thought_signature`` beside the call, where Google's own OpenAI-compatible endpoint
puts it. The official SDKs keep members that they do not know, so a client that sends the model's turn back as it came
brings the proof along; where it does not, Gemini is given the documented stand-in.
"""

from typing import Any


def write_proof(signature: str | None) -> dict[str, Any]:
    """The members to lay beside a tool call."""
    return {"extra_content": {"google": {"thought_signature": signature}}} if signature else {}


def read_proof(extra: Any) -> str | None:
    """The signature in an ``extra_content`` member of any form."""
    match extra:
        case {"google": {"thought_signature": str(signature)}} if signature:
            return signature
    return None
