"""Complete ``generateContent`` replies as a neutral `Answer`, and the wire structs that streams share.

A reply without candidates is an answer only if the prompt was blocked; any other is broken. Thought signatures stay
with their part: on a call in the `ToolCall`, on a thought in the `Reasoning`, on plain text in an empty `Reasoning`
behind it. Kinds of parts that only Gemini's own tools make are refused: they are never asked for.
"""

from datetime import UTC, datetime
from typing import Annotated, Any

import msgspec

from ...errors import UpstreamBroken
from ...types import Usage
from ..conversation import Answer, Audio, Choice, Document, FinishReason, Image, Part, Reasoning, Text, ToolCall
from .errors import event_error

_Count = Annotated[int, msgspec.Meta(ge=0)] | None


class WireCall(msgspec.Struct, rename="camel"):
    name: str
    id: str | None = None
    args: dict[str, msgspec.Raw] | None = None


class WireBlob(msgspec.Struct, rename="camel"):
    mime_type: str
    data: str


class WirePart(msgspec.Struct, rename="camel"):
    text: str | None = None
    thought: bool | None = None
    thought_signature: str | None = None
    function_call: WireCall | None = None
    inline_data: WireBlob | None = None
    file_data: dict[str, Any] | None = None
    executable_code: dict[str, Any] | None = None
    code_execution_result: dict[str, Any] | None = None
    tool_call: dict[str, Any] | None = None
    tool_response: dict[str, Any] | None = None


_FOREIGN_KINDS = ("file_data", "executable_code", "code_execution_result", "tool_call", "tool_response")


class WireContent(msgspec.Struct, rename="camel"):
    parts: list[WirePart] | None = None


class _Token(msgspec.Struct, rename="camel"):
    token: str = ""
    log_probability: float = 0.0


class _TopTokens(msgspec.Struct, rename="camel"):
    candidates: list[_Token] | None = None


class WireLogprobs(msgspec.Struct, rename="camel"):
    chosen_candidates: list[_Token] | None = None
    top_candidates: list[_TopTokens] | None = None


class WireCandidate(msgspec.Struct, rename="camel"):
    index: _Count = None
    content: WireContent | None = None
    finish_reason: str | None = None
    logprobs_result: WireLogprobs | None = None


class _PromptFeedback(msgspec.Struct, rename="camel"):
    block_reason: str | None = None


class _ModalityTokens(msgspec.Struct, rename="camel"):
    modality: str | None = None
    token_count: _Count = None


class WireUsage(msgspec.Struct, rename="camel"):
    prompt_token_count: _Count = None
    cached_content_token_count: _Count = None
    tool_use_prompt_token_count: _Count = None
    candidates_token_count: _Count = None
    thoughts_token_count: _Count = None
    prompt_tokens_details: list[_ModalityTokens] | None = None
    cache_tokens_details: list[_ModalityTokens] | None = None
    tool_use_prompt_tokens_details: list[_ModalityTokens] | None = None
    candidates_tokens_details: list[_ModalityTokens] | None = None


class WireResponse(msgspec.Struct, rename="camel"):
    """A ``GenerateContentResponse``: a whole reply, and equally one event of a stream."""

    candidates: list[WireCandidate] | None = None
    prompt_feedback: _PromptFeedback | None = None
    usage_metadata: WireUsage | None = None
    response_id: str | None = None
    model_version: str | None = None
    create_time: datetime | None = None
    error: msgspec.Raw = msgspec.Raw(b"null")

    @property
    def created_s(self) -> int:
        when = self.create_time
        if when is None:
            return 0
        return int((when if when.tzinfo else when.replace(tzinfo=UTC)).timestamp())

    @property
    def blocked(self) -> bool:
        """The prompt was refused: there are no candidates and never will be."""
        return not self.candidates and self.prompt_feedback is not None and bool(self.prompt_feedback.block_reason)


_RESPONSE = msgspec.json.Decoder(WireResponse)


def decode_response(body: bytes) -> WireResponse:
    """Decode a reply or an event. Raises `UpstreamBroken`, or the error that the body reports."""
    try:
        response = _RESPONSE.decode(body)
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError) as exc:
        raise UpstreamBroken(
            f"the upstream's answer is not a generateContent response: {exc}", upstream_status=200
        ) from exc
    if bytes(response.error) != b"null":
        raise event_error(body)
    return response


def read_usage(wire: WireUsage | None) -> Usage:
    """Gemini's counts: the prompt includes what was cached but not the tools' part; thoughts are counted apart."""
    if wire is None:
        return Usage(source="none")
    thoughts = wire.thoughts_token_count or 0
    return Usage(
        prompt=(wire.prompt_token_count or 0) + (wire.tool_use_prompt_token_count or 0),
        completion=(wire.candidates_token_count or 0) + thoughts,
        cached=wire.cached_content_token_count or 0,
        reasoning=thoughts,
        prompt_audio=_audio(wire.prompt_tokens_details) + _audio(wire.tool_use_prompt_tokens_details),
        cached_audio=_audio(wire.cache_tokens_details),
        completion_audio=_audio(wire.candidates_tokens_details),
    )


def _audio(details: list[_ModalityTokens] | None) -> int:
    return sum(each.token_count or 0 for each in details or () if each.modality == "AUDIO")


UNFINISHED = "FINISH_REASON_UNSPECIFIED"
_FINISH: dict[str, FinishReason] = {
    UNFINISHED: "stop",
    "STOP": "stop",
    "MAX_TOKENS": "length",
    "CONTINUATION": "length",
    **dict.fromkeys(
        (
            "SAFETY",
            "RECITATION",
            "LANGUAGE",
            "BLOCKLIST",
            "PROHIBITED_CONTENT",
            "SPII",
            "IMAGE_SAFETY",
            "IMAGE_PROHIBITED_CONTENT",
            "IMAGE_RECITATION",
            "MODEL_ARMOR",
            "ESCALATION",
        ),
        "content_filter",
    ),
}


def read_finish(reason: str | None, *, called: bool) -> FinishReason:
    """Gemini's finish reason; ``called`` says that the choice holds tool calls. Every reason that is not listed
    (MALFORMED_FUNCTION_CALL, OTHER …) means that something went wrong."""
    finish = _FINISH.get(reason or "STOP", "error")
    return "tool_calls" if called and finish == "stop" else finish


class CallIds:
    """Ids for calls that Gemini left without: deterministic, and unique across replies."""

    def __init__(self, response_id: str | None) -> None:
        self._suffix = f"_{response_id}" if response_id else ""
        self._count = 0

    def next(self) -> str:
        self._count += 1
        return f"call_{self._count - 1}{self._suffix}"


def read_parts(content: WireContent | None, ids: CallIds) -> list[Part]:
    parts: list[Part] = []
    for wire in (content.parts if content else None) or ():
        parts.extend(_read_part(wire, ids))
    return parts


def _read_part(wire: WirePart, ids: CallIds) -> list[Part]:
    for kind in _FOREIGN_KINDS:
        if getattr(wire, kind) is not None:
            raise UpstreamBroken(
                f"the upstream sent a {kind} part, which was not asked for and cannot be carried", upstream_status=200
            )
    signature = wire.thought_signature or None
    parts: list[Part] = []
    if wire.thought and (wire.text or signature):
        parts.append(Reasoning(text=wire.text or "", signature=signature))
        signature = None
    elif wire.text:
        parts.append(Text(wire.text))
    if wire.inline_data is not None:
        parts.append(_read_blob(wire.inline_data))
    if (call := wire.function_call) is not None:
        parts.append(
            ToolCall(id=call.id or ids.next(), name=call.name, arguments=_arguments(call), signature=signature)
        )
    elif signature:
        parts.append(Reasoning(signature=signature))
    return parts


def _arguments(call: WireCall) -> str:
    """The model's own JSON text, without the line breaks of Gemini's pretty printing."""
    try:
        return msgspec.json.format(msgspec.json.encode(call.args or {}), indent=-1).decode()
    except UnicodeDecodeError as exc:
        raise UpstreamBroken(
            f"the arguments of the call of {call.name!r} are not UTF-8: {exc}", upstream_status=200
        ) from exc


def _read_blob(blob: WireBlob) -> Part:
    family, _, kind = blob.mime_type.partition("/")
    match family:
        case "image":
            return Image(data=blob.data, media_type=blob.mime_type)
        case "audio":
            return Audio(data=blob.data, format=kind)
    return Document(data=blob.data, media_type=blob.mime_type)


def read_logprobs(wire: WireLogprobs | None) -> dict[str, Any] | None:
    """Gemini's log probabilities in Chat Completions' form."""
    if wire is None or not wire.chosen_candidates:
        return None
    tops = wire.top_candidates or []
    content: list[dict[str, Any]] = []
    for position, chosen in enumerate(wire.chosen_candidates):
        top = (tops[position].candidates if position < len(tops) else None) or []
        content.append({**_read_token(chosen), "top_logprobs": [_read_token(token) for token in top]})
    return {"content": content, "refusal": None}


def _read_token(wire: _Token) -> dict[str, Any]:
    return {"token": wire.token, "logprob": wire.log_probability, "bytes": list(wire.token.encode())}


def read_reply(body: bytes) -> Answer:
    wire = decode_response(body)
    if wire.blocked:
        choices = [Choice(finish_reason="content_filter")]
    elif wire.candidates:
        ids = CallIds(wire.response_id)
        choices = [_read_choice(candidate, position, ids) for position, candidate in enumerate(wire.candidates)]
    else:
        raise UpstreamBroken(
            "the upstream's answer holds no candidates and does not say that it blocked the prompt", upstream_status=200
        )
    return Answer(
        id=wire.response_id or "",
        model=wire.model_version or "",
        created_s=wire.created_s,
        choices=choices,
        usage=read_usage(wire.usage_metadata),
    )


def _read_choice(wire: WireCandidate, position: int, ids: CallIds) -> Choice:
    parts = read_parts(wire.content, ids)
    called = any(isinstance(part, ToolCall) for part in parts)
    return Choice(
        index=position if wire.index is None else wire.index,
        parts=parts,
        finish_reason=read_finish(wire.finish_reason, called=called),
        logprobs=read_logprobs(wire.logprobs_result),
    )
