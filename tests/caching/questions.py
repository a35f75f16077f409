"""Calls as the cache sees them, made by hand."""

import json
from typing import Any

from llmops.types import Call, RequestView

QUESTION: dict[str, Any] = {
    "model": "m",
    "messages": [{"role": "system", "content": "Be brief."}, {"role": "user", "content": "What is the answer?"}],
    "temperature": 0.2,
}


def a_call(body: dict[str, Any] | bytes = QUESTION, number: int = 1, **fields: Any) -> Call:
    """A chat call of this body, written without blanks."""
    raw = body if isinstance(body, bytes) else json.dumps(body, separators=(",", ":")).encode()
    said = json.loads(raw)
    given: dict[str, Any] = {
        "operation": "chat",
        "body": raw,
        "view": RequestView(model=said["model"], stream=bool(said.get("stream"))),
        "request_id": f"req_{number:032x}",
        "trace_id": f"{number:032x}",
        "span_id": f"{number:016x}",
        "started_at_s": 1_700_000_000.0,
        "started_s": 0.0,
        **fields,
    }
    return Call(**given)
