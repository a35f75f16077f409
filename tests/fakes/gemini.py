"""Gemini's wire: generateContent, streamGenerateContent (``alt=sse``) and batchEmbedContents."""

import re
from typing import Any, ClassVar

from .upstream import Request
from .wires import ARGUMENTS, CACHED, COMPLETION, PROMPT, REASONING, Failure, FakeProvider, Seen, data, missing, split

_WORDS = {
    400: "INVALID_ARGUMENT",
    401: "UNAUTHENTICATED",
    403: "PERMISSION_DENIED",
    404: "NOT_FOUND",
    409: "ABORTED",
    429: "RESOURCE_EXHAUSTED",
    500: "INTERNAL",
    503: "UNAVAILABLE",
    504: "DEADLINE_EXCEEDED",
}
_PATH = re.compile(r"^/v1beta/models/([^/:]+):(generateContent|streamGenerateContent|batchEmbedContents)$")
USAGE = {
    "promptTokenCount": PROMPT,
    "cachedContentTokenCount": CACHED,
    "thoughtsTokenCount": REASONING,
    "candidatesTokenCount": COMPLETION - REASONING,
    "totalTokenCount": PROMPT + COMPLETION,
}


class FakeGemini(FakeProvider):
    """``generativelanguage.googleapis.com``."""

    secret: ClassVar[str] = "AIza-1234567890"

    def check(self, request: Request, body: dict[str, Any]) -> Failure | None:
        path = _PATH.match(request.path)
        if path is None or request.query != ({"alt": ["sse"]} if path[2].startswith("stream") else {}):
            return Failure(404, "Requested entity was not found.")
        if request.headers.get("x-goog-api-key") != self.secret or "authorization" in request.headers:
            return Failure(400, f"API key not valid: {request.headers.get('x-goog-api-key')}")
        if path[2] == "batchEmbedContents":
            return missing(body, "requests")
        return missing(body, "contents") or _check_contents(body["contents"])

    def error(self, failure: Failure) -> dict[str, Any]:
        details = []
        if failure.message.startswith("API key not valid"):
            details = [{"@type": "type.googleapis.com/google.rpc.ErrorInfo", "reason": "API_KEY_INVALID"}]
        return {
            "error": {
                "code": failure.status,
                "message": failure.message,
                "status": _WORDS.get(failure.status, "UNKNOWN"),
                "details": details,
            }
        }

    def plain(self, request: Request) -> dict[str, Any] | None:
        if not request.path.endswith(":batchEmbedContents"):
            return None
        return {"embeddings": [{"values": [0.25, -0.5]} for _ in request.json()["requests"]]}

    def read(self, request: Request) -> Seen:
        body, path = request.json(), _PATH.match(request.path)
        assert path is not None
        generation = body.get("generationConfig", {})
        seen = Seen(
            model=path[1],
            stream=path[2].startswith("stream"),
            temperature=generation.get("temperature"),
            max_tokens=generation.get("maxOutputTokens"),
            schema=generation.get("responseJsonSchema", generation.get("responseSchema")),
            system="".join(part["text"] for part in body.get("systemInstruction", {}).get("parts", [])),
            tools=[function["name"] for tool in body.get("tools", []) for function in tool["functionDeclarations"]],
        )
        for content in body["contents"]:
            for part in content["parts"]:
                _read_part(part, content["role"], seen)
        return seen

    def answer(self, request: Request, seen: Seen) -> dict[str, Any]:
        return _response(seen, _parts(seen), "STOP")

    def events(self, request: Request, seen: Seen) -> list[bytes]:
        if seen.wanted_calls:
            return [data(_response(seen, [part], None)) for part in _parts(seen)] + [data(_response(seen, [], "STOP"))]
        pieces = split(seen.text)
        events = [_response(seen, [{"text": piece}], None) for piece in pieces[:-1]]
        return [data(event) for event in events] + [data(_response(seen, [{"text": pieces[-1]}], "STOP"))]


def _check_contents(contents: list[dict[str, Any]]) -> Failure | None:
    for content in contents:
        if content.get("role") not in ("user", "model") or not content.get("parts"):
            return Failure(400, "contents: every content needs a role and parts")
    return None


def _read_part(part: dict[str, Any], role: str, seen: Seen) -> None:
    if "functionCall" in part:
        seen.calls.append((part["functionCall"].get("id", ""), part["functionCall"]["name"]))
    elif "functionResponse" in part:
        response = part["functionResponse"]["response"]
        seen.results.append((part["functionResponse"]["name"], str(response.get("output", response))))
    elif "inlineData" in part:
        seen.images.append((part["inlineData"]["mimeType"], part["inlineData"]["data"]))
    elif "fileData" in part:
        seen.images.append(("url", part["fileData"]["fileUri"]))
    elif role == "user":
        seen.last_text = part["text"]


def _parts(seen: Seen) -> list[dict[str, Any]]:
    if not seen.wanted_calls:
        return [{"text": seen.text}]
    return [{"functionCall": {"name": name, "args": ARGUMENTS}} for name in seen.wanted_calls]


def _response(seen: Seen, parts: list[dict[str, Any]], finish: str | None) -> dict[str, Any]:
    candidate: dict[str, Any] = {"content": {"role": "model", "parts": parts}, "index": 0}
    if finish:
        candidate["finishReason"] = finish
    return {
        "candidates": [candidate],
        "usageMetadata": USAGE,
        "modelVersion": seen.model,
        "responseId": "resp-1",
        "createTime": "2026-01-02T03:04:05Z",
    }
