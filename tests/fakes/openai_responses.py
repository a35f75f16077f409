"""The Responses half of OpenAI's wire."""

import json
from typing import Any

from .wires import ARGUMENTS, CACHED, COMPLETION, PROMPT, REASONING, Seen, data, data_url, split

USAGE = {
    "input_tokens": PROMPT,
    "input_tokens_details": {"cached_tokens": CACHED},
    "output_tokens": COMPLETION,
    "output_tokens_details": {"reasoning_tokens": REASONING},
    "total_tokens": PROMPT + COMPLETION,
}


class ResponsesWire:
    """Reading and answering ``/responses``."""

    @staticmethod
    def read(body: dict[str, Any]) -> Seen:
        seen = Seen(
            model=body["model"],
            system=body.get("instructions") or "",
            stream=bool(body.get("stream")),
            max_tokens=body.get("max_output_tokens"),
            temperature=body.get("temperature"),
            tools=[tool["name"] for tool in body.get("tools", [])],
        )
        wanted = (body.get("text") or {}).get("format")
        if wanted and wanted["type"] == "json_schema":
            seen.schema = wanted["schema"]
        items = body["input"]
        for item in [{"role": "user", "content": items}] if isinstance(items, str) else items:
            _read_item(item, seen)
        return seen

    @staticmethod
    def response(seen: Seen, *, status: str = "completed") -> dict[str, Any]:
        done = status == "completed"
        return {
            "id": "resp_1",
            "object": "response",
            "created_at": 1_700_000_000,
            "status": status,
            "error": None,
            "incomplete_details": None,
            "model": seen.model,
            "output": _items(seen) if done else [],
            "parallel_tool_calls": True,
            "tool_choice": "auto",
            "tools": [],
            "usage": USAGE if done else None,
        }

    @staticmethod
    def events(seen: Seen) -> list[bytes]:
        events: list[dict[str, Any]] = [
            {"type": "response.created", "response": ResponsesWire.response(seen, status="in_progress")},
            {"type": "response.in_progress", "response": ResponsesWire.response(seen, status="in_progress")},
        ]
        for index, item in enumerate(_items(seen)):
            events += _item_events(index, item)
        events.append({"type": "response.completed", "response": ResponsesWire.response(seen)})
        return [data({**event, "sequence_number": number}, event["type"]) for number, event in enumerate(events)]


def _read_item(item: dict[str, Any], seen: Seen) -> None:
    match item.get("type", "message"):
        case "message":
            content = item["content"]
            parts = [{"type": "input_text", "text": content}] if isinstance(content, str) else content
            text = "".join(part["text"] for part in parts if part["type"].endswith("_text"))
            seen.images += [data_url(part["image_url"]) for part in parts if part["type"] == "input_image"]
            if item["role"] in ("system", "developer"):
                seen.system += text
            elif item["role"] == "user":
                seen.last_text = text
        case "function_call":
            seen.calls.append((item["call_id"], item["name"]))
        case "function_call_output":
            output = item["output"]
            text = output if isinstance(output, str) else "".join(part["text"] for part in output)
            seen.results.append((item["call_id"], text))
        case other:
            raise AssertionError(f"an item of type {other!r}")


def _items(seen: Seen) -> list[dict[str, Any]]:
    if not seen.wanted_calls:
        part = {"type": "output_text", "text": seen.text, "annotations": [], "logprobs": []}
        return [{"type": "message", "id": "msg_1", "status": "completed", "role": "assistant", "content": [part]}]
    return [
        {
            "type": "function_call",
            "id": f"fc_{number}",
            "call_id": f"call_{number}",
            "name": name,
            "arguments": json.dumps(ARGUMENTS, ensure_ascii=False),
            "status": "completed",
        }
        for number, name in enumerate(seen.wanted_calls)
    ]


def _item_events(index: int, item: dict[str, Any]) -> list[dict[str, Any]]:
    place = {"item_id": item["id"], "output_index": index}
    if item["type"] == "function_call":
        opened = {**item, "arguments": "", "status": "in_progress"}
        inside = [
            {"type": "response.function_call_arguments.delta", **place, "delta": piece}
            for piece in split(item["arguments"])
        ]
        inside.append({"type": "response.function_call_arguments.done", **place, "arguments": item["arguments"]})
    else:
        opened = {**item, "content": [], "status": "in_progress"}
        part, place = item["content"][0], {**place, "content_index": 0}
        inside = [{"type": "response.content_part.added", **place, "part": {**part, "text": ""}}]
        inside += [
            {"type": "response.output_text.delta", **place, "delta": piece, "logprobs": []}
            for piece in split(part["text"])
        ]
        inside.append({"type": "response.output_text.done", **place, "text": part["text"], "logprobs": []})
        inside.append({"type": "response.content_part.done", **place, "part": part})
    return [
        {"type": "response.output_item.added", "output_index": index, "item": opened},
        *inside,
        {"type": "response.output_item.done", "output_index": index, "item": item},
    ]
