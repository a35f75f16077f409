"""The neutral values that translation between dialects goes through.

A dialect reads its wire form into a `Conversation` (a request), an `Answer` (a complete reply) or `Delta`s (a streamed
one), and writes them back. N readers and N writers replace N x N translators. Whatever the target cannot carry is
named in `Uncarried`, never dropped in silence.

Not covered: embeddings (they have no conversation; see `embeddings.py`) and provider-side state.
"""

from typing import Any, Literal

import msgspec

from ..types import Usage

Role = Literal["user", "assistant"]
FinishReason = Literal["stop", "length", "tool_calls", "content_filter", "error"]


class Text(msgspec.Struct, frozen=True):
    text: str


class Image(msgspec.Struct, frozen=True, kw_only=True):
    """An image by ``url``, or inline as base64 ``data`` with its ``media_type``."""

    url: str | None = None
    data: str | None = None
    media_type: str | None = None
    detail: str | None = None


class Audio(msgspec.Struct, frozen=True, kw_only=True):
    """Inline audio: base64 ``data`` and its ``format`` (``wav``, ``mp3``)."""

    data: str
    format: str


class Document(msgspec.Struct, frozen=True, kw_only=True):
    """A file: base64 ``data`` with ``media_type``, or a ``url``, or a provider's ``file_id``."""

    data: str | None = None
    media_type: str | None = None
    url: str | None = None
    file_id: str | None = None
    name: str | None = None


class Reasoning(msgspec.Struct, frozen=True, kw_only=True):
    """The model's thinking. ``signature`` lets the provider that made it verify it; ``encrypted`` is opaque to us."""

    text: str = ""
    signature: str | None = None
    encrypted: str | None = None


class Refusal(msgspec.Struct, frozen=True):
    text: str


class ToolCall(msgspec.Struct, frozen=True, kw_only=True):
    """``arguments`` is JSON text, exactly as the model wrote it."""

    id: str
    name: str
    arguments: str
    signature: str | None = None
    """Opaque proof that some providers (Gemini) want back with the tool's result."""


class ToolResult(msgspec.Struct, frozen=True, kw_only=True):
    call_id: str
    content: list["Text | Image | Document"]
    is_error: bool = False


Part = Text | Image | Audio | Document | Reasoning | Refusal | ToolCall | ToolResult


class Message(msgspec.Struct, frozen=True):
    """One turn. Tool results are parts of a ``user`` message, tool calls of an ``assistant`` message."""

    role: Role
    parts: list[Part]


class Tool(msgspec.Struct, frozen=True, kw_only=True):
    """A function the model may call; ``parameters`` is a JSON Schema object."""

    name: str
    description: str | None = None
    parameters: dict[str, Any] = {}
    strict: bool | None = None


class ToolChoice(msgspec.Struct, frozen=True):
    """``mode`` "tool" forces the tool called ``name``."""

    mode: Literal["auto", "none", "required", "tool"]
    name: str | None = None


class OutputFormat(msgspec.Struct, frozen=True, kw_only=True):
    """JSON mode (``schema`` None) or structured output."""

    schema: dict[str, Any] | None = None
    name: str = "output"
    description: str | None = None
    strict: bool | None = None


class ReasoningConfig(msgspec.Struct, frozen=True, kw_only=True):
    """How much the model should think: an ``effort`` word, or a budget in tokens; ``enabled`` False switches it off."""

    enabled: bool = True
    effort: str | None = None
    budget_tokens: int | None = None
    summary: str | None = None


class Conversation(msgspec.Struct, kw_only=True):
    """A request in neutral form. None (or an empty list) means: not asked for.

    ``leftover`` holds the parameters of the source dialect that have no neutral meaning, by their path in the
    request; ``names`` maps a neutral field to its name in the source dialect where that differs, so that an error
    names what the caller wrote.
    """

    system: list[Text] = []
    messages: list[Message] = []
    tools: list[Tool] = []
    tool_choice: ToolChoice | None = None
    parallel_tool_calls: bool | None = None
    output: OutputFormat | None = None
    max_tokens: int | None = None
    temperature: float | None = None
    top_p: float | None = None
    top_k: int | None = None
    stop: list[str] = []
    seed: int | None = None
    presence_penalty: float | None = None
    frequency_penalty: float | None = None
    n: int | None = None
    logprobs: bool | None = None
    top_logprobs: int | None = None
    reasoning: ReasoningConfig | None = None
    user: str | None = None
    metadata: dict[str, Any] | None = None
    stream: bool = False
    leftover: dict[str, Any] = {}
    names: dict[str, str] = {}


#: Parameters every target must say it carries; the rest of `Conversation` is structure, judged part by part.
PARAMETERS = (
    "tools",
    "tool_choice",
    "parallel_tool_calls",
    "output",
    "max_tokens",
    "temperature",
    "top_p",
    "top_k",
    "stop",
    "seed",
    "presence_penalty",
    "frequency_penalty",
    "n",
    "logprobs",
    "top_logprobs",
    "reasoning",
    "user",
    "metadata",
)
_HARMLESS: dict[str, Any] = {
    "n": 1,
    "presence_penalty": 0,
    "frequency_penalty": 0,
    "logprobs": False,
    "top_logprobs": 0,
    "parallel_tool_calls": True,
}


class Uncarried:
    """Collects, in the caller's own names, what the target dialect cannot carry."""

    def __init__(self, conversation: Conversation) -> None:
        self._names = conversation.names
        self.parameters: list[str] = list(conversation.leftover)

    def add(self, parameter: str) -> None:
        """Note ``parameter``: a neutral field name, or a path such as ``messages[2].content[0]``."""
        name = self.named(parameter)
        if name not in self.parameters:
            self.parameters.append(name)

    def named(self, parameter: str) -> str:
        """The longest beginning of the path that the source names otherwise is replaced: a part may hold the place."""
        head, tail = parameter, ""
        while head not in self._names:
            if "." not in head:
                return parameter
            head, _, step = head.rpartition(".")
            tail = f".{step}{tail}"
        return self._names[head] + tail

    def check(self, conversation: Conversation, carried: frozenset[str]) -> None:
        """Note every parameter that is asked for and not in ``carried``; a value equal to the default is harmless."""
        for parameter in PARAMETERS:
            if parameter in carried:
                continue
            value = getattr(conversation, parameter)
            if value is None or value == [] or (parameter in _HARMLESS and value == _HARMLESS[parameter]):
                continue
            self.add(parameter)


class Choice(msgspec.Struct, kw_only=True):
    """One alternative of an answer. ``logprobs`` keeps Chat Completions' form."""

    index: int = 0
    parts: list[Part] = []
    finish_reason: FinishReason = "stop"
    stop_sequence: str | None = None
    logprobs: Any = None


class Answer(msgspec.Struct, kw_only=True):
    """A complete reply in neutral form. ``created_s`` is seconds since the epoch."""

    id: str
    model: str
    created_s: int
    choices: list[Choice]
    usage: Usage
    lost: list[str] = []
    """What the upstream said beside its words and no neutral value holds, such as ``citations``."""


# --- streamed answers -------------------------------------------------------------------------------------------


class Started(msgspec.Struct, frozen=True, kw_only=True):
    """The first delta of a stream, exactly once."""

    id: str
    model: str
    created_s: int
    usage: Usage | None = None


class TextDelta(msgspec.Struct, frozen=True):
    text: str
    choice: int = 0
    logprobs: Any = None


class ReasoningDelta(msgspec.Struct, frozen=True, kw_only=True):
    text: str = ""
    signature: str | None = None
    encrypted: str | None = None
    choice: int = 0


class RefusalDelta(msgspec.Struct, frozen=True):
    text: str
    choice: int = 0


class ToolCallStarted(msgspec.Struct, frozen=True, kw_only=True):
    """``index`` counts the tool calls of one choice from 0; its arguments follow in `ToolCallDelta`s."""

    index: int
    id: str
    name: str
    choice: int = 0
    signature: str | None = None


class ToolCallDelta(msgspec.Struct, frozen=True, kw_only=True):
    index: int
    arguments: str
    choice: int = 0


class Finished(msgspec.Struct, frozen=True, kw_only=True):
    """A choice is complete."""

    reason: FinishReason
    choice: int = 0
    stop_sequence: str | None = None


class UsageReported(msgspec.Struct, frozen=True):
    """The stream's usage so far; the last one counts."""

    usage: Usage


class Lost(msgspec.Struct, frozen=True):
    """The upstream said something that no neutral value holds. Noted for the caller, never given to a writer."""

    what: str


Delta = (
    Started
    | TextDelta
    | ReasoningDelta
    | RefusalDelta
    | ToolCallStarted
    | ToolCallDelta
    | Finished
    | UsageReported
    | Lost
)

#: The deltas that make a stream committed: from the first of these on nothing may be retried.
CONTENT_DELTAS = (TextDelta, ReasoningDelta, RefusalDelta, ToolCallStarted, ToolCallDelta)
