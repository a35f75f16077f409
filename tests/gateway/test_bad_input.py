"""Bad input at the real server: the dialect's own error shape, the right status, words that help, a line in the log."""

import json
import random
import time
from collections.abc import Callable
from typing import Any

import pytest

from llmops.settings import Settings
from tests.fakes.gateway import CHAT, MESSAGES, USER, Answer, Gateway, http_request

PATHS = {
    "/v1/chat/completions": CHAT,
    "/v1/responses": {"model": "mock", "input": "Hi"},
    "/v1/messages": MESSAGES,
    "/v1/embeddings": {"model": "mock", "input": "Hi"},
    "/v1/messages/count_tokens": {"model": "mock", "messages": USER},
}
OPERATIONS = {
    "/v1/chat/completions": "chat",
    "/v1/responses": "responses",
    "/v1/messages": "messages",
    "/v1/embeddings": "embeddings",
    "/v1/messages/count_tokens": "count_tokens",
}
TYPES = {
    400: "invalid_request_error",
    404: "not_found_error",
    405: "invalid_request_error",
    413: "request_too_large",
    431: "request_too_large",
}
Build = Callable[..., Settings]


def error_of(path: str, answer: Answer) -> dict[str, Any]:
    """The error object of an answer whose shape is that of the path's dialect."""
    body = answer.json()
    assert answer.headers["content-type"] == "application/json"
    assert answer.headers["x-request-id"].startswith("req_") and answer.headers["traceparent"].startswith("00-")
    error: dict[str, Any] = body["error"]
    if path.startswith("/v1/messages"):
        assert (body["type"], error["type"]) == ("error", TYPES[answer.status])
        assert body["request_id"] == answer.headers["x-request-id"]
    else:
        assert error["type"] == "invalid_request_error" and {"message", "param", "code"} <= set(error)
        assert error["request_id"] == answer.headers["x-request-id"]
    return error


BODIES: list[tuple[str, Callable[[dict[str, Any]], bytes], str]] = [
    ("nothing", lambda good: b"", "not valid JSON"),
    ("cut short", lambda good: json.dumps(good).encode()[:-3], "not valid JSON"),
    ("more after the end", lambda good: json.dumps(good).encode() + b"}", "not valid JSON"),
    ("not UTF-8", lambda good: json.dumps(good).encode().replace(b"Hi", b"\xff\xfe"), "not valid JSON|utf-8"),
    ("HTML", lambda good: b"<html>", "not valid JSON"),
    ("form data", lambda good: b"model=mock&messages=Hi", "not valid JSON"),
    ("NaN", lambda good: b'{"model": NaN}', "not valid JSON"),
    ("a list", lambda good: b"[]", "`object`"),
    ("null", lambda good: b"null", "`object`"),
    ("no model", lambda good: json.dumps({**good, "model": None}).encode().replace(b'"model": null, ', b""), "`model`"),
    ("model null", lambda good: json.dumps({**good, "model": None}).encode(), "model"),
    ("model a number", lambda good: json.dumps({**good, "model": 7}).encode(), "model"),
    ("an unknown model", lambda good: json.dumps({**good, "model": "gpt-9"}).encode(), "configured: mock"),
    ("too deep", lambda good: json.dumps(good).encode()[:-1] + b',"x":' + b"[" * 64 + b"]" * 64 + b"}", "64 levels"),
    ("far too deep", lambda good: b"[" * 500_000 + b"]" * 500_000, "64 levels"),
    ("far too deep and open", lambda good: b'{"a":' * 500_000, "deep|not valid JSON"),
]


@pytest.mark.parametrize("path", PATHS)
async def test_bodies_that_cannot_be_used(path: str, settings: Build) -> None:
    async with Gateway(settings()) as gateway:
        expected = []
        for name, make, message in BODIES:
            answer = await gateway.post(path, make(PATHS[path]))
            status = 404 if name == "an unknown model" else 400
            assert answer.status == status, (name, answer)
            error = error_of(path, answer)
            assert any(part in error["message"] for part in message.split("|")), (name, error)
            if name in ("model a number", "model null") and not path.startswith("/v1/messages"):
                assert error["param"] == "model"
            code = "model_not_found" if status == 404 else "invalid_request"
            expected.append((answer.headers["x-request-id"], OPERATIONS[path], status, code))
        records = await gateway.records()
        fields = ("request_id", "operation", "status", "error_type")
        assert [tuple(line[field] for field in fields) for line in records] == expected
        assert (await gateway.post(path, PATHS[path])).status == 200


WRONG: dict[str, list[tuple[dict[str, Any], str]]] = {
    "/v1/chat/completions": [
        ({"messages": []}, "messages"),
        ({"messages": "Hi"}, "messages"),
        ({"messages": [{"role": 1}]}, "role"),
        ({"messages": [{"role": "wizard", "content": "Hi"}]}, "role"),
        ({"messages": [7]}, "messages"),
        ({"messages": [{"role": "user", "content": 7}]}, "content"),
        ({"stream": "yes"}, "stream"),
        ({"messages": [{"role": "user", "content": [{"type": "hologram"}]}]}, "hologram"),
        ({"messages": [{"role": "user", "content": [{"type": "image_url"}]}]}, "image_url"),
        ({"messages": [{"role": "tool", "content": "x"}]}, "tool_call_id"),
        ({"max_tokens": "many"}, "max_tokens"),
        ({"tools": "all"}, "tools"),
        ({"tool_choice": "whatever"}, "tool_choice"),
        ({"response_format": {"type": "yaml"}}, "response_format"),
        ({"response_format": {"type": "json_schema", "json_schema": {"name": "x", "schema": {"type": 7}}}}, "schema"),
        ({"temperature": "hot"}, "temperature"),
        ({"n": -1}, "n"),
    ],
    "/v1/responses": [
        ({"input": 7}, "input"),
        ({"input": [7]}, "input"),
        ({"input": [{"type": "hologram"}]}, "hologram"),
        ({"tools": [{"type": "hologram"}]}, "hologram"),
        ({"text": 7}, "text"),
    ],
    "/v1/messages": [
        ({"messages": []}, "messages"),
        ({"max_tokens": None}, "max_tokens"),
        ({"max_tokens": -1}, "max_tokens"),
        ({"messages": [{"role": "wizard", "content": "x"}]}, "role"),
        ({"messages": [{"role": "user", "content": [{"type": "hologram"}]}]}, "hologram"),
        ({"system": 7}, "system"),
        ({"stop_sequences": "x"}, "stop_sequences"),
    ],
    "/v1/embeddings": [
        ({"input": []}, "input"),
        ({"input": ""}, "input"),
        ({"input": [1.5]}, "input"),
        ({"encoding_format": "hex"}, "encoding_format"),
        ({"dimensions": 0}, "dimensions"),
        ({"dimensions": "two"}, "dimensions"),
    ],
}


@pytest.mark.parametrize("path", WRONG)
async def test_wrong_values_are_named(path: str, settings: Build) -> None:
    async with Gateway(settings()) as gateway:
        for change, named in WRONG[path]:
            answer = await gateway.post(path, {**PATHS[path], **change})
            assert answer.status == 400, (change, answer)
            error = error_of(path, answer)
            assert named in f"{error['message']} {error.get('param')}", (change, error)


async def test_a_body_over_the_limit(settings: Build) -> None:
    """Whether its length is announced or not, and whether the client waits for the answer or goes on sending."""
    async with Gateway(settings()) as gateway:
        for path in ("/v1/chat/completions", "/v1/messages"):
            async with await gateway.connect() as patient:
                await patient.send(http_request("POST", path, None, {"Content-Length": "10000001"}))
                assert error_of(path, answer := await patient.read_answer())["message"].count("10000000 bytes")
                assert (answer.status, answer.headers["connection"]) == (413, "close")
            answer = await gateway.post(path, b'{"model": "mock", "x": "' + b"y" * 11_000_000 + b'"}')
            assert answer.status == 413
            async with await gateway.connect() as chunked:
                lead = http_request("POST", path, None, {"Transfer-Encoding": "chunked"})
                await chunked.send(lead.replace(b"Content-Length: 0\r\n", b""))
                for _ in range(11):
                    await chunked.send(b"f4240\r\n" + b"z" * 1_000_000 + b"\r\n")
                assert (await chunked.read_answer()).status == 413
        assert [line["status"] for line in await gateway.records()] == [413] * 6


async def test_a_body_at_the_limit_is_served_in_good_time(settings: Build) -> None:
    async with Gateway(settings()) as gateway:
        body = json.dumps(
            {
                **CHAT,
                "tools": [{"type": "function", "function": {"name": f"f{n}", "parameters": {}}} for n in range(100)],
                "tool_choice": "none",
            }
        ).encode()
        body = body.replace(b'"Hi"', b'"' + b"x" * (9_999_999 - len(body)) + b'"')
        started = time.perf_counter()
        answer = await gateway.post("/v1/chat/completions", body)
        assert answer.status == 200, answer.body[:300]
        assert time.perf_counter() - started < 2


async def test_headers_over_the_limit(settings: Build) -> None:
    async with Gateway(settings()) as gateway:
        for path in PATHS:
            answer = await gateway.post(path, PATHS[path], {"X-Long": "y" * 16_384})
            assert (answer.status, answer.headers["connection"]) == (431, "close")
            assert "'x-long' is larger than 16384 bytes" in error_of(path, answer)["message"]
            many = {f"X-{number}": "y" * 16_000 for number in range(5)}
            assert (await gateway.post(path, PATHS[path], many)).status == 431
        assert {line["error_type"] for line in await gateway.records()} == {"headers_too_large"}


async def test_paths_and_methods_that_are_not_there(settings: Build) -> None:
    async with Gateway(settings()) as gateway:
        for path, method, status, message in [
            ("/v1/completions", "POST", 404, "/v1/chat/completions"),
            ("/nothing", "GET", 404, "'/nothing'"),
            ("/v1/messages/batches", "POST", 404, "/v1/messages"),
            ("/v1/chat/completions/", "POST", 404, "no path"),
            ("/v1/chat/completions", "GET", 405, "POST, not GET"),
            ("/v1/messages", "DELETE", 405, "POST, not DELETE"),
            ("/v1/models", "POST", 405, "GET, not POST"),
            ("/health", "DELETE", 405, "GET, not DELETE"),
            ("/v1/../etc/passwd", "GET", 404, "no path"),
            ("/" + "x" * 5000, "GET", 404, "no path"),
            ("/%00%0d%0aX-Evil:1", "GET", 404, "no path"),
            ("/v1/%C3%A9", "GET", 404, "no path"),
        ]:
            async with await gateway.connect() as connection:
                await connection.send(http_request(method, path, b"{}"))
                answer = await connection.read_answer()
            assert answer.status == status, (path, answer)
            assert message in error_of(path, answer)["message"] and "x-evil" not in answer.headers
            assert len(answer.body) < 1500
        assert {line["error_type"] for line in await gateway.records()} == {"unknown_url", "method_not_allowed"}


async def test_an_unknown_model_among_the_models(settings: Build) -> None:
    async with Gateway(settings()) as gateway:
        answer = await gateway.get("/v1/models/gpt-9")
        assert (answer.status, answer.json()["error"]["code"]) == (404, "model_not_found")
        assert "configured: mock" in answer.json()["error"]["message"]
        answer = await gateway.get("/v1/models/gpt-9", {"anthropic-version": "2023-06-01"})
        assert answer.json()["error"]["type"] == "not_found_error"


async def test_what_is_not_http_is_refused_and_the_server_goes_on(settings: Build) -> None:
    async with Gateway(settings()) as gateway:
        for nonsense in (
            b"GET\r\n\r\n",
            b"\x16\x03\x01\x02\x00",
            b"POST /v1/messages HTTP/1.1\r\nContent-Length: x\r\n\r\n",
        ):
            async with await gateway.connect() as connection:
                await connection.send(nonsense)
                assert (await connection.read_head())[0] == 400
        assert (await gateway.get("/health")).status == 200


JUNK: list[Any] = [
    None,
    True,
    0,
    -1,
    1.5,
    10**30,
    "",
    "x",
    "\ud800",
    "\u0000",
    [],
    [None],
    [[]],
    {},
    {"": None},
    {"type": "text"},
    {"type": 7},
    [{"type": "text", "text": None}],
    "data:,",
    "data:image/png;base64,%%",
]
PNG = "data:image/png;base64,AA=="
RICH: dict[str, dict[str, Any]] = {
    "/v1/chat/completions": {
        **CHAT,
        "n": 1,
        "max_tokens": 5,
        "stop": ["x"],
        "seed": 1,
        "logprobs": True,
        "top_logprobs": 1,
        "user": "u",
        "metadata": {"a": "b"},
        "reasoning_effort": "low",
        "stream_options": {"include_usage": True},
        "tools": [{"type": "function", "function": {"name": "f", "parameters": {"type": "object"}}}],
        "tool_choice": {"type": "function", "function": {"name": "f"}},
        "response_format": {"type": "json_schema", "json_schema": {"name": "o", "schema": {"type": "object"}}},
        "messages": [
            {"role": "system", "content": "s"},
            {
                "role": "user",
                "content": [{"type": "text", "text": "t"}, {"type": "image_url", "image_url": {"url": PNG}}],
            },
            {
                "role": "assistant",
                "tool_calls": [{"id": "1", "type": "function", "function": {"name": "f", "arguments": "{}"}}],
            },
            {"role": "tool", "tool_call_id": "1", "content": "r"},
        ],
    },
    "/v1/responses": {
        "model": "mock",
        "instructions": "i",
        "max_output_tokens": 5,
        "user": "u",
        "metadata": {"a": "b"},
        "reasoning": {"effort": "low"},
        "include": ["message.output_text.logprobs"],
        "top_logprobs": 1,
        "text": {"format": {"type": "json_schema", "name": "o", "schema": {"type": "object"}}},
        "tools": [{"type": "function", "name": "f", "parameters": {"type": "object"}}],
        "tool_choice": {"type": "function", "name": "f"},
        "input": [
            {
                "role": "user",
                "content": [{"type": "input_text", "text": "t"}, {"type": "input_image", "image_url": PNG}],
            },
            {"type": "function_call", "call_id": "1", "name": "f", "arguments": "{}"},
            {"type": "function_call_output", "call_id": "1", "output": "r"},
        ],
    },
    "/v1/messages": {
        **MESSAGES,
        "system": [{"type": "text", "text": "s"}],
        "stop_sequences": ["x"],
        "metadata": {"user_id": "u"},
        "thinking": {"type": "enabled", "budget_tokens": 1024},
        "tool_choice": {"type": "tool", "name": "f"},
        "tools": [{"name": "f", "input_schema": {"type": "object"}}],
        "output_config": {"format": {"type": "json_schema", "schema": {"type": "object"}}},
        "messages": [
            {
                "role": "user",
                "content": [
                    {"type": "text", "text": "t"},
                    {"type": "image", "source": {"type": "base64", "media_type": "image/png", "data": "AA=="}},
                ],
            },
            {"role": "assistant", "content": [{"type": "tool_use", "id": "1", "name": "f", "input": {}}]},
            {"role": "user", "content": [{"type": "tool_result", "tool_use_id": "1", "content": "r"}]},
        ],
    },
    "/v1/embeddings": {"model": "mock", "input": ["a", "b"], "dimensions": 8, "encoding_format": "base64", "user": "u"},
    "/v1/messages/count_tokens": {
        "model": "mock",
        "messages": USER,
        "system": "s",
        "tools": [{"name": "f", "input_schema": {}}],
    },
}


def mutated(value: Any, dice: random.Random) -> Any:
    """A copy with junk in one place, chosen at random on a way down."""
    if isinstance(value, dict) and value and dice.random() < 0.85:
        key = dice.choice(list(value))
        return {**value, key: mutated(value[key], dice)}
    if isinstance(value, list) and value and dice.random() < 0.85:
        place = dice.randrange(len(value))
        return [*value[:place], mutated(value[place], dice), *value[place + 1 :]]
    return dice.choice(JUNK)


@pytest.mark.parametrize("path", RICH)
async def test_no_request_makes_the_gateway_fail(path: str, settings: Build) -> None:
    """Junk anywhere in a rich request: an answer, or a refusal in the dialect's shape; never an error of ours."""
    dice = random.Random(path)
    async with Gateway(settings()) as gateway, await gateway.connect() as connection:
        for number in range(300):
            body = mutated(RICH[path], dice)
            if isinstance(body, dict) and number % 3 == 0:
                body["stream"] = True
            await connection.send(http_request("POST", path, body))
            answer = await connection.read_answer()
            assert answer.status in (200, 400, 404), (body, answer)
            assert b"internal_error" not in answer.body and b"api_error" not in answer.body, (body, answer)
            if answer.status != 200:
                error_of(path, answer)
        assert len(await gateway.records()) == 300
