"""What the mock provider says: words from a short list, a JSON value that fits the schema, or calls of the tools.

A text is as long as the last message asks for ("in about 120 words"), or as configured. A tool is called when
``tool_choice`` forces it, or when tools are offered and the last message is not a tool's result: then every tool that
the last user text mentions by name is called, and the first one when it mentions none.
"""

import random
import re
from typing import Any

import msgspec

from ..dialects.conversation import Choice, Conversation, Part, Reasoning, Text, Tool, ToolCall, ToolResult
from ..dialects.written import words_of
from ..json_sample import sample

_WORDS = (
    "a gateway keeps every call in one place and writes down what it cost how long it took and who asked so that "
    "a team can see compare and improve what its models do from day to day without guessing"
).split()
_LENGTH = re.compile(r"\babout (\d{1,5}) words\b")
_LENGTH_CHARS = 200


def answer_to(conversation: Conversation, number: int, words: int, reply: str | None) -> tuple[list[Choice], int, int]:
    """The choices, the tokens they took and how many of those were reasoning; one word counts as one token."""
    choices: list[Choice] = []
    completion = reasoning = 0
    words = _wanted_words(conversation) or words
    for index in range(conversation.n or 1):
        dice = random.Random(number + index)
        parts: list[Part] = []
        if conversation.reasoning is not None and conversation.reasoning.enabled:
            parts.append(Reasoning(text="The mock thinks before it answers."))
            reasoning += 6
            completion += 6
        calls = _tool_calls(conversation, dice)
        if calls:
            parts += calls
            completion += 8 * len(calls)
            choices.append(Choice(index=index, parts=parts, finish_reason="tool_calls"))
            continue
        choice, tokens = _spoken(conversation, dice, words, reply)
        choices.append(
            Choice(
                index=index,
                parts=[*parts, *choice.parts],
                finish_reason=choice.finish_reason,
                stop_sequence=choice.stop_sequence,
                logprobs=choice.logprobs,
            )
        )
        completion += tokens
    return choices, completion, reasoning


def _spoken(conversation: Conversation, dice: random.Random, words: int, reply: str | None) -> tuple[Choice, int]:
    choice = Choice()
    if conversation.output is not None and reply is None:
        value = {"answer": _sentence(dice, 6)}
        if conversation.output.schema is not None:
            value = sample(conversation.output.schema, dice)
        text = msgspec.json.encode(value).decode()
    else:
        text = reply if reply is not None else _sentence(dice, words)
        for stop in conversation.stop:
            if stop and stop in text:
                text = text.split(stop, 1)[0]
                choice.stop_sequence = stop
    tokens = words_of(text)
    if conversation.max_tokens is not None and len(tokens) > conversation.max_tokens:
        tokens = tokens[: conversation.max_tokens]
        choice.finish_reason = "length"
    choice.parts = [Text("".join(tokens))]
    if conversation.logprobs:
        choice.logprobs = {"content": [_logprob(token, conversation.top_logprobs or 0) for token in tokens]}
    return choice, len(tokens)


def _wanted_words(conversation: Conversation) -> int:
    """What the end of the last message asks for; 0 where it says nothing."""
    parts = conversation.messages[-1].parts if conversation.messages else ()
    text = next((part.text for part in reversed(parts) if isinstance(part, Text)), "")
    found = _LENGTH.search(text[-_LENGTH_CHARS:])
    return int(found[1]) if found else 0


def _sentence(dice: random.Random, words: int) -> str:
    start = dice.randrange(len(_WORDS))
    return " ".join(_WORDS[(start + step) % len(_WORDS)] for step in range(words)).capitalize() + "."


def _logprob(token: str, alternatives: int) -> dict[str, Any]:
    entry = {"token": token, "logprob": -0.1, "bytes": list(token.encode())}
    return {**entry, "top_logprobs": [entry] if alternatives else []}


def _tool_calls(conversation: Conversation, dice: random.Random) -> list[ToolCall]:
    choice, tools = conversation.tool_choice, conversation.tools
    if not tools or (choice is not None and choice.mode == "none"):
        return []
    if choice is not None and choice.mode == "tool":
        wanted = [tool for tool in tools if tool.name == choice.name]
    else:
        last = conversation.messages[-1].parts if conversation.messages else []
        if any(isinstance(part, ToolResult) for part in last) and (choice is None or choice.mode == "auto"):
            return []
        text = " ".join(part.text for part in last if isinstance(part, Text))
        wanted = [tool for tool in tools if tool.name in text] or tools[:1]
    if conversation.parallel_tool_calls is False:
        wanted = wanted[:1]
    return [_call(tool, dice) for tool in wanted]


def _call(tool: Tool, dice: random.Random) -> ToolCall:
    """Arguments are an object by definition, also where a tool's schema, which is the caller's, says otherwise."""
    arguments = sample({"type": "object", **tool.parameters}, dice)
    arguments = arguments if isinstance(arguments, dict) else {}
    return ToolCall(
        id=f"call_{dice.getrandbits(64):016x}", name=tool.name, arguments=msgspec.json.encode(arguments).decode()
    )
