"""The turns of a `Conversation` as Gemini's ``contents``.

Gemini wants the results of parallel calls in one content, straight after the calls: results come first in their turn,
in a content of their own, and neighbours of the same role and kind are joined. A result must name its function, which
is found from the earlier call with the same id.

Files: inline base64, or the URIs of Google's own stores; another URL is named as uncarried. The words of a refusal
travel as text; a document's file name has no place here and is only a label.
"""

from typing import Any

import msgspec

from ...errors import InvalidRequest
from ..conversation import (
    Audio,
    Conversation,
    Document,
    Image,
    Message,
    Part,
    Reasoning,
    Refusal,
    Text,
    ToolCall,
    ToolResult,
    Uncarried,
)

Wire = dict[str, Any]

_FILES = "https://generativelanguage.googleapis.com/v1beta/"
_GOOGLE_URIS = (
    "https://generativelanguage.googleapis.com/",
    "gs://",
    "https://www.youtube.com/watch?",
    "https://youtu.be/",
)
_ARGUMENTS = msgspec.json.Decoder(dict[str, msgspec.Raw])

#: Google's documented stand-in for the signature of a call that Gemini did not make itself, or whose signature the
#: client's dialect could not keep. Gemini 3 refuses a turn whose first call has none.
UNSIGNED = "skip_thought_signature_validator"


def write_contents(conversation: Conversation, uncarried: Uncarried, *, must_sign: bool) -> list[Wire]:
    """Write all turns; ``must_sign`` gives the first call of each turn a signature if it has none."""
    contents: list[Wire] = []
    names: dict[str, str] = {}
    for number, message in enumerate(conversation.messages):
        path = f"messages[{number}].content"
        if message.role == "assistant":
            _append(contents, "model", _write_assistant(message, path, uncarried, names))
        else:
            results, others = _write_user(message, path, uncarried, names)
            _append(contents, "user", results)
            _append(contents, "user", others)
    if must_sign:
        for content in contents:
            _sign_first_call(content["parts"])
    return contents


def _append(contents: list[Wire], role: str, parts: list[Wire]) -> None:
    if not parts:
        return
    last = contents[-1] if contents else None
    if last and last["role"] == role and _holds_results(last["parts"]) == _holds_results(parts):
        last["parts"].extend(parts)
    else:
        contents.append({"role": role, "parts": parts})


def _holds_results(parts: list[Wire]) -> bool:
    return "functionResponse" in parts[0]


def _sign_first_call(parts: list[Wire]) -> None:
    for part in parts:
        if "functionCall" in part:
            part.setdefault("thoughtSignature", UNSIGNED)
            return


def _write_assistant(message: Message, path: str, uncarried: Uncarried, names: dict[str, str]) -> list[Wire]:
    parts: list[Wire] = []
    for number, part in enumerate(message.parts):
        where = f"{path}[{number}]"
        if isinstance(part, ToolCall):
            names[part.id] = part.name
            parts.append(_write_call(part, where))
        else:
            parts.extend(_write_part(part, where, uncarried))
    return parts


def _write_user(
    message: Message, path: str, uncarried: Uncarried, names: dict[str, str]
) -> tuple[list[Wire], list[Wire]]:
    results: list[Wire] = []
    others: list[Wire] = []
    for number, part in enumerate(message.parts):
        where = f"{path}[{number}]"
        if isinstance(part, ToolResult):
            results.append(_write_result(part, where, uncarried, names))
        else:
            others.extend(_write_part(part, where, uncarried))
    return results, others


def _write_part(part: Part, path: str, uncarried: Uncarried) -> list[Wire]:
    match part:
        case Text(text=text) | Refusal(text=text):
            return [{"text": text}] if text else []
        case Reasoning():
            return _write_reasoning(part, path, uncarried)
        case Image():
            if part.detail not in (None, "auto"):
                uncarried.add(f"{path}.detail")
            return _write_file(part.data, part.media_type, part.url, path, uncarried)
        case Audio():
            return _write_file(part.data, f"audio/{part.format}", None, path, uncarried)
        case Document():
            return _write_file(part.data, part.media_type, part.url or _file_uri(part.file_id), path, uncarried)
    uncarried.add(path)  # a call in a user's turn, a result in the model's
    return []


def _write_reasoning(part: Reasoning, path: str, uncarried: Uncarried) -> list[Wire]:
    """A thought; a signature alone stands on an empty text, the way Gemini itself ends a turn."""
    if part.encrypted is not None:
        uncarried.add(path)
    wire: Wire = {"text": part.text}
    if part.text:
        wire["thought"] = True
    if part.signature:
        wire["thoughtSignature"] = part.signature
    return [wire] if len(wire) > 1 else []


def _write_file(
    data: str | None, media_type: str | None, url: str | None, path: str, uncarried: Uncarried
) -> list[Wire]:
    if data is not None and media_type:
        return [{"inlineData": {"mimeType": media_type, "data": data}}]
    if data is None and url and url.startswith(_GOOGLE_URIS):
        return [{"fileData": {"fileUri": url, **({"mimeType": media_type} if media_type else {})}}]
    uncarried.add(path)
    return []


def _file_uri(file_id: str | None) -> str | None:
    """A name in Gemini's Files API as its URI; another provider's file id is no URI of Google's."""
    return _FILES + file_id if file_id and file_id.startswith("files/") else file_id


def _write_call(call: ToolCall, path: str) -> Wire:
    wire: Wire = {"functionCall": {"id": call.id, "name": call.name, "args": _arguments(call, path)}}
    if call.signature:
        wire["thoughtSignature"] = call.signature
    return wire


def _arguments(call: ToolCall, path: str) -> msgspec.Raw:
    """The arguments' own JSON text, once it is known to be an object."""
    try:
        text = call.arguments.encode() or b"{}"
        _ARGUMENTS.decode(text)
    except (msgspec.DecodeError, UnicodeError, RecursionError) as exc:
        raise InvalidRequest(
            f"the arguments of tool call {call.id!r} must be a JSON object: {exc}", param=f"{path}.arguments"
        ) from exc
    return msgspec.Raw(text)


def _write_result(result: ToolResult, path: str, uncarried: Uncarried, names: dict[str, str]) -> Wire:
    name = names.get(result.call_id)
    if name is None:
        raise InvalidRequest(f"the tool result for {result.call_id!r} answers no earlier tool call", param=path)
    text = "\n".join(part.text for part in result.content if isinstance(part, Text))
    response: Wire = {"id": result.call_id, "name": name, "response": {"error" if result.is_error else "output": text}}
    files: list[Wire] = []
    for number, part in enumerate(result.content):
        if not isinstance(part, Text):
            files.extend(_write_part(part, f"{path}.content[{number}]", uncarried))
    if files:
        response["parts"] = files
    return {"functionResponse": response}
