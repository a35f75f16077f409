"""A record's fields are exactly those of the contract, and hold nothing of what was said unless capture is on."""

import hashlib
import json
from typing import Any

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from llmops.errors import ClientDisconnected, UpstreamTimeout
from llmops.telemetry.record import record_of, record_of_refused, usage_of
from llmops.telemetry.redaction import Redactor
from llmops.types import MessageView, Outcome, RequestView, Usage

from .calls import CONTENT, SECRET_WORDS, a_call, a_reply, finished, refused

KEY = b"k" * 32
CONTRACT = [
    "timestamp",
    "request_id",
    "trace_id",
    "span_id",
    "tenant",
    "key_id",
    "provider",
    "model",
    "deployment",
    "latency_ms",
    "ttft_ms",
    "token_usage",
    "error_type",
    "prompt_version",
    "release_id",
    "attempts",
    "cached",
    "json_valid",
    "status",
    "stream",
    "user",
    "tags",
    "cost_nanousd",
    "messages_masked",
]


def line_of(*args: Any, **options: Any) -> dict[str, Any]:
    line: dict[str, Any] = json.loads(msgspec.json.encode(record_of(*args, **options)))
    return line


def test_a_whole_record() -> None:
    line = line_of(finished(), KEY)
    digest = hashlib.blake2b(CONTENT, digest_size=16, key=KEY).hexdigest()
    assert line == {
        "timestamp": "2023-11-14T22:13:20.250Z",
        "request_id": f"req_{1:032x}",
        "trace_id": f"{1:032x}",
        "span_id": f"{1:016x}",
        "parent_span_id": None,
        "tenant": "default",
        "key_id": None,
        "operation": "chat",
        "provider": "none",
        "model": "m",
        "requested_model": "asked-for",
        "deployment": None,
        "upstream_model": "m-2026",
        "upstream_id": "chatcmpl-1",
        "latency_ms": 500.0,
        "ttft_ms": 125.0,
        "token_usage": {
            "prompt": 7,
            "completion": 5,
            "total": 12,
            "cached": 2,
            "cache_write": 0,
            "reasoning": 1,
            "source": "provider",
        },
        "error_type": None,
        "finish_reason": "stop",
        "prompt_version": None,
        "release_id": None,
        "attempts": 1,
        "degraded": None,
        "session": None,
        "cached": False,
        "cache": None,
        "similarity": None,
        "saved_nanousd": 0,
        "json_valid": None,
        "status": 200,
        "stream": False,
        "user": "u-1",
        "tags": {},
        "cost_nanousd": 0,
        "reserved_nanousd": 0,
        "limits_over": [],
        "recovered": False,
        "dropped_parameters": [],
        "messages_masked": [{"role": "user", "content_hash": digest, "content_length": len(SECRET_WORDS)}],
    }
    assert set(CONTRACT) <= set(line)


@pytest.mark.parametrize(
    "line",
    [
        msgspec.json.encode(record_of_refused(refused())),
        msgspec.json.encode(record_of(finished(reply=None, error=UpstreamTimeout("late")), KEY)),
    ],
)
def test_every_record_has_every_field(line: bytes) -> None:
    assert set(json.loads(line)) == set(line_of(finished(), KEY))


def test_a_refused_request_has_no_model() -> None:
    record = record_of_refused(refused())
    assert (record.provider, record.model, record.status, record.error_type) == ("none", "none", 400, "invalid_request")
    assert record.token_usage.source == "none" and record.token_usage.total == 0


def test_the_text_is_there_only_where_capture_is_on() -> None:
    assert SECRET_WORDS not in json.dumps(line_of(finished(), KEY), ensure_ascii=False)
    assert line_of(finished(), KEY, redactor=Redactor())["messages_masked"][0]["content"] == SECRET_WORDS


def test_the_hash_needs_the_key() -> None:
    def digest(key: bytes) -> str:
        return str(line_of(finished(), key)["messages_masked"][0]["content_hash"])

    assert digest(KEY) == digest(KEY) != digest(b"x" * 32)
    assert digest(KEY) != hashlib.blake2b(CONTENT, digest_size=16).hexdigest()


@given(st.binary(max_size=60), st.text(max_size=400), st.text(max_size=400))
def test_anything_can_be_recorded_and_stays_small(content: bytes, name: str, role: str) -> None:
    view = RequestView(model=name, user=name, messages=[MessageView(role, content, len(content))])
    for redactor in (None, Redactor()):
        try:
            raw = msgspec.json.encode(record_of(finished(call=a_call(view=view)), KEY, redactor=redactor))
        except UnicodeEncodeError:
            assert any("\ud800" <= char <= "\udfff" for char in name + role)  # which no decoder lets in
            return
        assert b"\n" not in raw and len(raw) < 8000


USED = Usage(prompt=7, completion=5)


@pytest.mark.parametrize(
    ("usage", "chars", "expected"),
    [
        (USED, 0, USED),
        (Usage(source="none"), 40, Usage(prompt=8, completion=10, source="estimated")),
        (Usage(prompt=-1, completion=5), 40, Usage(prompt=8, completion=10, source="estimated")),
        (Usage(prompt=7, completion=5, prompt_audio=10**10), 40, Usage(prompt=8, completion=10, source="estimated")),
        (Usage(), 40, Usage(prompt=8, completion=10, source="estimated")),
        (Usage(), 0, Usage()),
        (Usage(prompt=7, completion=2**70), 40, Usage(prompt=8, completion=10, source="estimated")),
        (Usage(prompt=2**62, source="estimated"), 40, Usage(prompt=8, completion=10, source="estimated")),
        (Usage(prompt=7, completion=1), 4000, Usage(prompt=7, completion=1)),  # it is the provider who sends the bill
        (Usage(prompt=9, completion=1, source="estimated"), 40, Usage(prompt=9, completion=10, source="estimated")),
    ],
)
def test_usage_is_the_providers_or_an_estimate(usage: Usage, chars: int, expected: Usage) -> None:
    reply = a_reply(outcome=Outcome(usage=usage, output_chars=chars))
    assert usage_of(finished(reply=reply)) == expected


def test_a_call_without_an_answer_used_nothing() -> None:
    assert usage_of(finished(reply=None, error=ClientDisconnected("gone"))).source == "none"


def test_counting_tokens_uses_none() -> None:
    assert usage_of(finished(call=a_call(operation="count_tokens"))).source == "none"
