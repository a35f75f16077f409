"""What is billed at a rate of its own is read from every usage, and told in the dialects that have a place for it."""

import json
from typing import Any

import msgspec
import pytest

from llmops.dialects.chat import ChatDialect
from llmops.dialects.chat.reply import write_usage as write_chat
from llmops.dialects.gemini import GeminiDialect
from llmops.dialects.messages import MessagesDialect
from llmops.dialects.messages.usage import StreamUsage, WireUsage
from llmops.dialects.messages.usage import write_usage as write_messages
from llmops.types import Outcome, Usage


def chat(usage: dict[str, Any]) -> Usage:
    outcome = Outcome()
    ChatDialect().tap_reply(json.dumps({"choices": [], "usage": usage}).encode(), outcome)
    return outcome.usage


def test_chat_tells_audio_and_cache_writes_apart() -> None:
    wire = {
        "prompt_tokens": 100,
        "completion_tokens": 50,
        "total_tokens": 150,
        "prompt_tokens_details": {"cached_tokens": 40, "cache_write_tokens": 20, "audio_tokens": 30},
        "completion_tokens_details": {"reasoning_tokens": 5, "audio_tokens": 35},
    }
    usage = chat(wire)
    assert usage == Usage(
        prompt=100, completion=50, cached=40, cache_write=20, reasoning=5, prompt_audio=30, completion_audio=35
    )
    assert write_chat(usage) == wire


@pytest.mark.parametrize(
    ("total", "completion"), [(150, 80), (120, 50), (None, 50)], ids=["beside", "within", "not told"]
)
def test_reasoning_that_was_counted_beside_the_completion_is_added(total: int | None, completion: int) -> None:
    """xAI's habit; its total gives it away."""
    details = {"reasoning_tokens": 30}
    wire = {"prompt_tokens": 70, "completion_tokens": 50, "total_tokens": total, "completion_tokens_details": details}
    assert chat(wire) == Usage(prompt=70, completion=completion, reasoning=30)


MESSAGES_WIRE = {
    "input_tokens": 10,
    "cache_read_input_tokens": 40,
    "cache_creation_input_tokens": 30,
    "cache_creation": {"ephemeral_5m_input_tokens": 10, "ephemeral_1h_input_tokens": 20},
    "output_tokens": 5,
}


def test_messages_tells_cache_writes_by_their_lifetime() -> None:
    outcome = Outcome()
    body = {"id": "msg", "type": "message", "role": "assistant", "model": "m", "content": [], "usage": MESSAGES_WIRE}
    MessagesDialect().tap_reply(json.dumps({**body, "stop_reason": "end_turn"}).encode(), outcome)
    assert outcome.usage == Usage(prompt=80, completion=5, cached=40, cache_write=30, cache_write_1h=20)
    assert write_messages(outcome.usage) == MESSAGES_WIRE


def test_a_messages_stream_keeps_the_lifetimes_that_only_its_start_told() -> None:
    stream = StreamUsage()
    stream.start(msgspec.convert(MESSAGES_WIRE | {"output_tokens": 1}, WireUsage))
    told = stream.update(msgspec.convert({"output_tokens": 5, "cache_creation_input_tokens": 30}, WireUsage))
    assert told == Usage(prompt=80, completion=5, cached=40, cache_write=30, cache_write_1h=20)


def test_gemini_tells_audio_by_modality() -> None:
    wire = {
        "candidates": [{"content": {"parts": [{"text": "x"}]}, "finishReason": "STOP"}],
        "usageMetadata": {
            "promptTokenCount": 100,
            "cachedContentTokenCount": 40,
            "toolUsePromptTokenCount": 9,
            "candidatesTokenCount": 20,
            "promptTokensDetails": [{"modality": "TEXT", "tokenCount": 70}, {"modality": "AUDIO", "tokenCount": 30}],
            "cacheTokensDetails": [{"modality": "AUDIO", "tokenCount": 25}, {"modality": "IMAGE", "tokenCount": 15}],
            "toolUsePromptTokensDetails": [{"modality": "AUDIO", "tokenCount": 4}, {"modality": "AUDIO"}],
            "candidatesTokensDetails": [{"modality": "AUDIO", "tokenCount": 12}, {}],
        },
    }
    assert GeminiDialect().read_reply(json.dumps(wire).encode()).usage == Usage(
        prompt=109, completion=20, cached=40, prompt_audio=34, cached_audio=25, completion_audio=12
    )
