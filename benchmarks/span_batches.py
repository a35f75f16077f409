"""Exports of spans as a program with an instrumented OpenAI client sends them: made up, never twice the same.

A trace has five spans, each with about twenty attributes by OpenTelemetry's GenAI conventions. With texts, question and
answer are among them, as instrumentations send them by default.
"""

import random
from collections.abc import Iterator
from typing import Any

from opentelemetry.proto.collector.trace.v1.trace_service_pb2 import ExportTraceServiceRequest
from opentelemetry.proto.trace.v1.trace_pb2 import Span

SPANS = 500
_PER_TRACE = 5
_RESOURCE = {
    "service.name": "shop",
    "telemetry.sdk.language": "python",
    "telemetry.sdk.name": "opentelemetry",
    "telemetry.sdk.version": "1.45.0",
}
_WORDS = (
    "the quick answer context policy refund customer order shipped invoice model token latency gateway budget city "
    "capital because therefore however system user assistant please explain summary document chapter never always time"
).split()


def batches(count: int, *, begin_s: float, words: int = 0, seed: int = 1) -> Iterator[bytes]:
    """So many exports of 500 spans in protobuf. ``words`` is the length of each text; 0: there are none."""
    luck = random.Random(seed)
    for number in range(count):
        yield _batch(luck, int((begin_s + number * 0.03) * 1e9), words)


def _batch(luck: random.Random, begin_ns: int, words: int) -> bytes:
    request = ExportTraceServiceRequest()
    group = request.resource_spans.add()
    _add(group.resource.attributes, _RESOURCE)
    scoped = group.scope_spans.add()
    scoped.scope.name, scoped.scope.version = "opentelemetry.instrumentation.openai.v1", "0.62.4"
    trace_id = root = b""
    for number in range(SPANS):
        is_root = number % _PER_TRACE == 0
        if is_root:
            trace_id = luck.randbytes(16)
        span = scoped.spans.add()
        span.trace_id, span.span_id = trace_id, luck.randbytes(8)
        if is_root:
            root = span.span_id
        else:
            span.parent_span_id = root
        span.name, span.kind = "chat gpt-4o", Span.SPAN_KIND_CLIENT
        span.start_time_unix_nano = begin_ns + number * 50_000
        span.end_time_unix_nano = span.start_time_unix_nano + luck.randrange(10**9)
        _add(span.attributes, _attributes(luck, words))
    return request.SerializeToString()


def _attributes(luck: random.Random, words: int) -> dict[str, Any]:
    conversation = f"conversation-{luck.randrange(5000)}"
    found: dict[str, Any] = {
        "gen_ai.operation.name": "chat",
        "gen_ai.provider.name": "openai",
        "gen_ai.request.model": luck.choice(["gpt-4o", "gpt-4o-mini", "gpt-4.1"]),
        "gen_ai.request.temperature": 0.7,
        "gen_ai.request.top_p": 1.0,
        "gen_ai.request.max_tokens": 1024,
        "gen_ai.response.model": "gpt-4o-2024-08-06",
        "gen_ai.response.id": f"chatcmpl-{luck.getrandbits(96):x}",
        "gen_ai.response.finish_reasons": "stop",
        "gen_ai.usage.input_tokens": luck.randrange(3000),
        "gen_ai.usage.output_tokens": luck.randrange(900),
        "gen_ai.usage.cache_read.input_tokens": luck.choice([0, 0, 512]),
        "gen_ai.conversation.id": conversation,
        "gen_ai.output.type": "text",
        "session.id": conversation,
        "user.id": f"user-{luck.randrange(2000)}",
        "server.address": "api.openai.com",
        "server.port": 443,
    }
    if words:
        found["gen_ai.input.messages"] = _message("user", luck, words)
        found["gen_ai.output.messages"] = _message("assistant", luck, words)
    else:
        found["deployment.environment.name"] = "production"
        found["app.feature"] = luck.choice(["search", "chat", "summary"])
    return found


def _message(role: str, luck: random.Random, words: int) -> str:
    said = " ".join(
        f"{luck.choice(_WORDS)}{luck.randrange(2000)}" if luck.random() < 0.2 else luck.choice(_WORDS)
        for _ in range(words)
    )
    return f'[{{"role":"{role}","parts":[{{"type":"text","content":"{said}"}}]}}]'


def _add(attributes: Any, values: dict[str, Any]) -> None:
    for key, value in values.items():
        pair = attributes.add()
        pair.key = key
        if isinstance(value, str):
            pair.value.string_value = value
        elif isinstance(value, int):
            pair.value.int_value = value
        else:
            pair.value.double_value = value
