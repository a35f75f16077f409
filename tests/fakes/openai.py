"""OpenAI's wire: Chat Completions and embeddings, and the same at Azure's two kinds of address."""

import json
from typing import Any, ClassVar

from .openai_responses import ResponsesWire
from .upstream import Request
from .wires import (
    ARGUMENTS,
    CACHED,
    COMPLETION,
    PROMPT,
    REASONING,
    Failure,
    FakeProvider,
    Seen,
    data,
    data_url,
    missing,
    split,
)

USAGE = {
    "prompt_tokens": PROMPT,
    "completion_tokens": COMPLETION,
    "total_tokens": PROMPT + COMPLETION,
    "prompt_tokens_details": {"cached_tokens": CACHED},
    "completion_tokens_details": {"reasoning_tokens": REASONING},
}


class FakeOpenAI(FakeProvider):
    """``api.openai.com/v1``; `FakeCompatible` and the Azures change its address and what it offers."""

    secret: ClassVar[str] = "sk-openai-1234567890"
    paths: ClassVar[dict[str, str]] = {
        "/v1/chat/completions": "chat",
        "/v1/responses": "responses",
        "/v1/embeddings": "embeddings",
    }

    def authorized(self, request: Request) -> bool:
        return request.headers.get("authorization") == f"Bearer {self.secret}"

    def operation(self, request: Request) -> str | None:
        return self.paths.get(request.path) if not request.query else None

    def check(self, request: Request, body: dict[str, Any]) -> Failure | None:
        operation = self.operation(request)
        if operation is None:
            return Failure(404, f"Invalid URL (POST {request.target})")
        if not self.authorized(request):
            return Failure(401, f"Incorrect API key provided: {request.headers.get('authorization', '')}")
        if operation == "chat":
            return missing(body, "model", "messages") or _check_messages(body["messages"])
        return missing(body, "model", "input")

    def error(self, failure: Failure) -> dict[str, Any]:
        return {"error": {"message": failure.message, "type": "invalid_request_error", "param": None, "code": None}}

    def plain(self, request: Request) -> dict[str, Any] | None:
        if self.operation(request) != "embeddings":
            return None
        body = request.json()
        inputs = body["input"] if isinstance(body["input"], list) else [body["input"]]
        return {
            "object": "list",
            "model": body["model"],
            "usage": {"prompt_tokens": PROMPT, "total_tokens": PROMPT},
            "data": [
                {"object": "embedding", "index": index, "embedding": [0.25, -0.5]} for index, _ in enumerate(inputs)
            ],
        }

    def read(self, request: Request) -> Seen:
        body = request.json()
        if self.operation(request) == "responses":
            return ResponsesWire.read(body)
        seen = Seen(
            model=body["model"],
            stream=bool(body.get("stream")),
            temperature=body.get("temperature"),
            max_tokens=body.get("max_completion_tokens") or body.get("max_tokens"),
            tools=[tool["function"]["name"] for tool in body.get("tools", [])],
        )
        if (wanted := body.get("response_format")) and wanted["type"] == "json_schema":
            seen.schema = wanted["json_schema"]["schema"]
        for message in body["messages"]:
            _read_message(message, seen)
        return seen

    def answer(self, request: Request, seen: Seen) -> dict[str, Any]:
        if self.operation(request) == "responses":
            return ResponsesWire.response(seen)
        calls = _tool_calls(seen)
        message: dict[str, Any] = {"role": "assistant", "content": None if calls else seen.text, "refusal": None}
        if calls:
            message["tool_calls"] = calls
        return {
            "id": "chatcmpl-1",
            "object": "chat.completion",
            "created": 1_700_000_000,
            "model": seen.model,
            "choices": [
                {"index": 0, "message": message, "logprobs": None, "finish_reason": "tool_calls" if calls else "stop"}
            ],
            "usage": USAGE,
            "system_fingerprint": "fp_1",
        }

    def events(self, request: Request, seen: Seen) -> list[bytes]:
        if self.operation(request) == "responses":
            return ResponsesWire.events(seen)
        calls = _tool_calls(seen)
        deltas: list[dict[str, Any]] = [{"role": "assistant", "content": None if calls else ""}]
        for index, call in enumerate(calls):
            arguments = call["function"]["arguments"]
            deltas.append({"tool_calls": [{**call, "index": index, "function": {**call["function"], "arguments": ""}}]})
            deltas += [
                {"tool_calls": [{"index": index, "function": {"arguments": piece}}]} for piece in split(arguments)
            ]
        deltas += [] if calls else [{"content": piece} for piece in split(seen.text)]
        chunks = [_chunk(seen, delta, None) for delta in deltas]
        chunks.append(_chunk(seen, {}, "tool_calls" if calls else "stop"))
        if (request.json().get("stream_options") or {}).get("include_usage"):
            chunks.append({**_chunk(seen, {}, None), "choices": [], "usage": USAGE})
        return [data(chunk) for chunk in chunks] + [data("[DONE]")]


class FakeCompatible(FakeOpenAI):
    """A server that speaks Chat Completions alone, under the older names, and asks for no key (vLLM, Ollama …)."""

    secret = ""
    paths: ClassVar[dict[str, str]] = {"/v1/chat/completions": "chat", "/v1/embeddings": "embeddings"}

    def authorized(self, request: Request) -> bool:
        return "authorization" not in request.headers

    def check(self, request: Request, body: dict[str, Any]) -> Failure | None:
        if "max_completion_tokens" in body:
            return Failure(400, "unknown parameter: max_completion_tokens")
        return super().check(request, body)


class FakeAzure(FakeOpenAI):
    """Azure's version-free API."""

    secret = "azure-0987654321"
    paths: ClassVar[dict[str, str]] = {
        "/openai/v1/chat/completions": "chat",
        "/openai/v1/responses": "responses",
        "/openai/v1/embeddings": "embeddings",
    }

    def authorized(self, request: Request) -> bool:
        return request.headers.get("api-key") == self.secret and "authorization" not in request.headers


class FakeDatedAzure(FakeAzure):
    """Azure's dated API: the deployment in the path, the version in the query."""

    paths: ClassVar[dict[str, str]] = {
        "/openai/deployments/upstream-model/chat/completions": "chat",
        "/openai/responses": "responses",
        "/openai/deployments/upstream-model/embeddings": "embeddings",
    }

    def operation(self, request: Request) -> str | None:
        return self.paths.get(request.path) if request.query == {"api-version": ["2025-04-01-preview"]} else None


def _check_messages(messages: list[dict[str, Any]]) -> Failure | None:
    called: set[str] = set()
    for message in messages:
        if message["role"] not in ("system", "developer", "user", "assistant", "tool"):
            return Failure(400, f"Invalid role {message['role']!r}")
        called |= {call["id"] for call in message.get("tool_calls", [])}
        if message["role"] == "tool" and message["tool_call_id"] not in called:
            return Failure(400, "messages with role 'tool' must be a response to a preceding message with 'tool_calls'")
    return None


def _read_message(message: dict[str, Any], seen: Seen) -> None:
    content = message.get("content")
    parts = [{"type": "text", "text": content}] if isinstance(content, str) else content or []
    texts = [part["text"] for part in parts if part["type"] == "text"]
    seen.images += [data_url(part["image_url"]["url"]) for part in parts if part["type"] == "image_url"]
    match message["role"]:
        case "system" | "developer":
            seen.system += "".join(texts)
        case "user":
            seen.last_text = "".join(texts)
        case "tool":
            seen.results.append((message["tool_call_id"], "".join(texts)))
    seen.calls += [(call["id"], call["function"]["name"]) for call in message.get("tool_calls", [])]


def _tool_calls(seen: Seen) -> list[dict[str, Any]]:
    return [
        {
            "id": f"call_{number}",
            "type": "function",
            "function": {"name": name, "arguments": json.dumps(ARGUMENTS, ensure_ascii=False)},
        }
        for number, name in enumerate(seen.wanted_calls)
    ]


def _chunk(seen: Seen, delta: dict[str, Any], finish: str | None) -> dict[str, Any]:
    return {
        "id": "chatcmpl-1",
        "object": "chat.completion.chunk",
        "created": 1_700_000_000,
        "model": seen.model,
        "choices": [{"index": 0, "delta": delta, "logprobs": None, "finish_reason": finish}],
    }
