"""Anthropic's wire: Messages and token counting."""

import json
from typing import Any, ClassVar

from .upstream import Request
from .wires import ARGUMENTS, CACHED, COMPLETION, PROMPT, Failure, FakeProvider, Seen, data, missing, split

_TYPES = {
    400: "invalid_request_error",
    401: "authentication_error",
    403: "permission_error",
    404: "not_found_error",
    413: "request_too_large",
    429: "rate_limit_error",
    529: "overloaded_error",
}
USAGE = {
    "input_tokens": PROMPT - CACHED,
    "cache_creation_input_tokens": 0,
    "cache_read_input_tokens": CACHED,
    "output_tokens": COMPLETION,
}


class FakeAnthropic(FakeProvider):
    """``api.anthropic.com``."""

    secret: ClassVar[str] = "sk-ant-1234567890"

    def check(self, request: Request, body: dict[str, Any]) -> Failure | None:
        if request.target not in ("/v1/messages", "/v1/messages/count_tokens"):
            return Failure(404, "Not found")
        if request.headers.get("anthropic-version") != "2023-06-01":
            return Failure(400, "anthropic-version: header is required")
        if request.headers.get("x-api-key") != self.secret or "authorization" in request.headers:
            return Failure(401, f"invalid x-api-key {request.headers.get('x-api-key')}")
        if request.path.endswith("count_tokens"):
            return missing(body, "model", "messages")
        return missing(body, "model", "messages", "max_tokens") or _check_turns(body["messages"])

    def error(self, failure: Failure) -> dict[str, Any]:
        return {
            "type": "error",
            "error": {"type": _TYPES.get(failure.status, "api_error"), "message": failure.message},
            "request_id": "req_upstream",
        }

    def plain(self, request: Request) -> dict[str, Any] | None:
        return {"input_tokens": 77} if request.path.endswith("count_tokens") else None

    def read(self, request: Request) -> Seen:
        body = request.json()
        system = body.get("system") or ""
        seen = Seen(
            model=body["model"],
            stream=bool(body.get("stream")),
            max_tokens=body["max_tokens"],
            temperature=body.get("temperature"),
            tools=[tool["name"] for tool in body.get("tools", [])],
            system=system if isinstance(system, str) else "".join(block["text"] for block in system),
        )
        if wanted := (body.get("output_config") or {}).get("format"):
            seen.schema = wanted["schema"]
        for message in body["messages"]:
            content = message["content"]
            blocks = [{"type": "text", "text": content}] if isinstance(content, str) else content
            for block in blocks:
                _read_block(block, message["role"], seen)
        return seen

    def answer(self, request: Request, seen: Seen) -> dict[str, Any]:
        return {
            "id": "msg_1",
            "type": "message",
            "role": "assistant",
            "model": seen.model,
            "content": _blocks(seen),
            "stop_reason": _stop(seen),
            "stop_sequence": None,
            "usage": USAGE,
        }

    def events(self, request: Request, seen: Seen) -> list[bytes]:
        start = {
            **self.answer(request, seen),
            "content": [],
            "stop_reason": None,
            "usage": {**USAGE, "output_tokens": 1},
        }
        events: list[dict[str, Any]] = [{"type": "message_start", "message": start}, {"type": "ping"}]
        for index, block in enumerate(_blocks(seen)):
            if block["type"] == "text":
                opened: dict[str, Any] = {"type": "text", "text": ""}
                deltas = [{"type": "text_delta", "text": piece} for piece in split(block["text"])]
            else:
                opened = {**block, "input": {}}
                arguments = json.dumps(block["input"], ensure_ascii=False)
                deltas = [{"type": "input_json_delta", "partial_json": piece} for piece in ["", *split(arguments)]]
            events.append({"type": "content_block_start", "index": index, "content_block": opened})
            events += [{"type": "content_block_delta", "index": index, "delta": delta} for delta in deltas]
            events.append({"type": "content_block_stop", "index": index})
        events.append(
            {
                "type": "message_delta",
                "delta": {"stop_reason": _stop(seen), "stop_sequence": None},
                "usage": {"output_tokens": COMPLETION},
            }
        )
        events.append({"type": "message_stop"})
        return [data(event, event["type"]) for event in events]


def _check_turns(messages: list[dict[str, Any]]) -> Failure | None:
    if not messages or messages[0]["role"] != "user":
        return Failure(400, 'messages: first message must use the "user" role')
    open_calls: set[str] = set()
    for message in messages:
        blocks = message["content"] if isinstance(message["content"], list) else []
        answered = {block["tool_use_id"] for block in blocks if block["type"] == "tool_result"}
        if answered != open_calls:
            return Failure(400, "tool_use ids were found without tool_result blocks immediately after")
        open_calls = {block["id"] for block in blocks if block["type"] == "tool_use"}
    return None


def _read_block(block: dict[str, Any], role: str, seen: Seen) -> None:
    match block["type"]:
        case "text" if role == "user":
            seen.last_text = block["text"]
        case "text":
            pass
        case "image" if block["source"]["type"] == "base64":
            seen.images.append((block["source"]["media_type"], block["source"]["data"]))
        case "image":
            seen.images.append(("url", block["source"]["url"]))
        case "tool_use":
            seen.calls.append((block["id"], block["name"]))
        case "tool_result":
            content = block.get("content") or ""
            text = content if isinstance(content, str) else "".join(part["text"] for part in content)
            seen.results.append((block["tool_use_id"], text))
        case other:
            raise AssertionError(f"a block of type {other!r}")


def _blocks(seen: Seen) -> list[dict[str, Any]]:
    if not seen.wanted_calls:
        return [{"type": "text", "text": seen.text}]
    return [
        {"type": "tool_use", "id": f"call_{number}", "name": name, "input": ARGUMENTS}
        for number, name in enumerate(seen.wanted_calls)
    ]


def _stop(seen: Seen) -> str:
    return "tool_use" if seen.wanted_calls else "end_turn"
