"""A neutral `Conversation` as a ``generateContent`` request.

Wire reference: Gemini API, "models.generateContent" (v1beta). Not carried: ``user``, ``metadata`` and the wish for no
parallel tool calls, which Gemini has no place for. A schema's name is only a label; Gemini always holds the answer to
the schema, so ``strict`` asks for nothing more.
"""

import re
from typing import Any

import msgspec

from ...errors import InvalidRequest
from ..conversation import PARAMETERS, Conversation, OutputFormat, ReasoningConfig, Tool, ToolChoice, Uncarried
from .contents import Wire, write_contents

_CARRIED = frozenset(PARAMETERS) - {"user", "metadata", "parallel_tool_calls"}
_RENAMED = {
    "max_tokens": "maxOutputTokens",
    "temperature": "temperature",
    "top_p": "topP",
    "top_k": "topK",
    "seed": "seed",
    "presence_penalty": "presencePenalty",
    "frequency_penalty": "frequencyPenalty",
    "n": "candidateCount",
}
_MODES = {"auto": "AUTO", "none": "NONE", "required": "ANY", "tool": "ANY"}
_BEFORE_3 = re.compile(r"gemini-[12](\D|$)")

#: Effort words as thinking levels (Gemini 3 and later), and as budgets in tokens for the models before, which know no
#: levels; the budgets are those of Google's own OpenAI-compatible endpoint. "max" means the most there is.
_LEVELS = {"minimal": "MINIMAL", "low": "LOW", "medium": "MEDIUM", "high": "HIGH", "xhigh": "XHIGH", "max": "XHIGH"}
_BUDGETS = {"minimal": 1024, "low": 1024, "medium": 8192, "high": 24576, "xhigh": 24576, "max": 24576}


def write_request(conversation: Conversation, model: str, uncarried: Uncarried) -> bytes:
    """Write the body; ``model`` itself goes into the URL and here only tells the generation.

    Raises `InvalidRequest` for what Gemini can never take: no turn at all, a tool result without its call, arguments
    that are not a JSON object.
    """
    uncarried.check(conversation, _CARRIED)
    before_3 = _BEFORE_3.search(model) is not None
    contents = write_contents(conversation, uncarried, must_sign=not before_3)
    if not contents:
        raise InvalidRequest("messages must hold at least one user or assistant message with content", param="messages")
    wire: Wire = {"contents": contents}
    system = [{"text": text.text} for text in conversation.system if text.text]
    if system:
        wire["systemInstruction"] = {"parts": system}
    if conversation.tools:
        wire["tools"] = [{"functionDeclarations": [_write_tool(tool) for tool in conversation.tools]}]
    if calling := _write_tool_choice(conversation.tool_choice, conversation.tools):
        wire["toolConfig"] = {"functionCallingConfig": calling}
    if config := _write_config(conversation, uncarried, before_3=before_3):
        wire["generationConfig"] = config
    return msgspec.json.encode(wire)


def _write_config(conversation: Conversation, uncarried: Uncarried, *, before_3: bool) -> Wire:
    config: Wire = {}
    for name, wire_name in _RENAMED.items():
        value = getattr(conversation, name)
        if value is not None:
            config[wire_name] = value
    if conversation.stop:
        config["stopSequences"] = conversation.stop
    if conversation.logprobs:
        config["responseLogprobs"] = True
    if conversation.top_logprobs:
        if conversation.logprobs:
            config["logprobs"] = conversation.top_logprobs
        else:
            uncarried.add("top_logprobs")
    if conversation.output:
        config["responseMimeType"] = "application/json"
        if (schema := _write_schema(conversation.output)) is not None:
            config["responseJsonSchema"] = schema
    if conversation.reasoning:
        config["thinkingConfig"] = _write_thinking(conversation.reasoning, uncarried, before_3=before_3)
    return config


def _write_schema(output: OutputFormat) -> dict[str, Any] | None:
    """The schema; a description beside it is put inside, unless it has one of its own."""
    if output.schema is None or output.description is None:
        return output.schema
    return {"description": output.description, **output.schema}


def _write_tool(tool: Tool) -> Wire:
    declared: Wire = {"name": tool.name}
    if tool.description is not None:
        declared["description"] = tool.description
    if tool.parameters:
        declared["parametersJsonSchema"] = tool.parameters
    return declared


def _write_tool_choice(choice: ToolChoice | None, tools: list[Tool]) -> Wire | None:
    """Strict tools need the mode that holds calls to their schema: VALIDATED for the choice "auto", ANY does anyway."""
    strict = any(tool.strict for tool in tools)
    if choice is None:
        return {"mode": "VALIDATED"} if strict else None
    if choice.mode == "auto" and strict:
        return {"mode": "VALIDATED"}
    wire: Wire = {"mode": _MODES[choice.mode]}
    if choice.mode == "tool":
        wire["allowedFunctionNames"] = [choice.name]
    return wire


def _write_thinking(reasoning: ReasoningConfig, uncarried: Uncarried, *, before_3: bool) -> Wire:
    """Switch thinking off or on; on, its summary is asked for. A budget is exacter than a word, so it goes first."""
    if not reasoning.enabled:
        return {"thinkingBudget": 0}
    config: Wire = {"includeThoughts": True}
    if reasoning.budget_tokens is not None:
        config["thinkingBudget"] = reasoning.budget_tokens
    elif reasoning.effort is not None:
        if reasoning.effort not in _LEVELS:
            uncarried.add("reasoning")
        elif before_3:
            config["thinkingBudget"] = _BUDGETS[reasoning.effort]
        else:
            config["thinkingLevel"] = _LEVELS[reasoning.effort]
    return config
