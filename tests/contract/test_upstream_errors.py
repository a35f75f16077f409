"""What providers answer when they do not answer: every status over every provider, through a real server.

One table says what the caller sees. Nothing that a caller or the log gets to see holds a credential.
"""

import json
import time
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from email.utils import formatdate
from pathlib import Path
from typing import Any

import pytest

from ..fakes.gateway import Answer, Gateway, settings_for
from ..fakes.upstream import Upstream
from ..fakes.wires import Failure, FakeProvider
from .bench import PROVIDERS, Provider
from .clients import DIALECTS, Ask, write

PATHS = {"chat": "/v1/chat/completions", "responses": "/v1/responses", "messages": "/v1/messages"}
STATUSES = {
    400: (400, "upstream_rejected"),
    401: (502, "upstream_credential"),
    403: (502, "upstream_credential"),
    404: (404, "upstream_rejected"),
    408: (504, "upstream_timeout"),
    409: (409, "upstream_rejected"),
    413: (413, "upstream_rejected"),
    422: (422, "upstream_rejected"),
    429: (429, "upstream_rate_limited"),
    500: (503, "upstream_unavailable"),
    502: (503, "upstream_unavailable"),
    503: (503, "upstream_unavailable"),
    504: (504, "upstream_timeout"),
    529: (503, "upstream_unavailable"),
}
ANTHROPIC_TYPES = {
    400: "invalid_request_error",
    404: "not_found_error",
    409: "invalid_request_error",
    413: "request_too_large",
    422: "invalid_request_error",
    429: "rate_limit_error",
    502: "api_error",
    503: "overloaded_error",
    504: "timeout_error",
}


@dataclass
class Served:
    gateway: Gateway
    fake: FakeProvider
    upstream: Upstream

    async def ask(self, dialect: str, *, stream: bool = False) -> Answer:
        return await self.gateway.post(PATHS[dialect], write(dialect, Ask("my secret words", stream=stream)))  # type: ignore[arg-type]


@asynccontextmanager
async def served(provider: Provider, log_dir: Path, **deployment: Any) -> AsyncIterator[Served]:
    fake = provider.fake()
    async with Upstream(fake) as upstream:
        models = {"m": [{**provider.deployment_at(upstream.url), **deployment}]}
        async with Gateway(settings_for(log_dir, models)) as gateway:
            yield Served(gateway, fake, upstream)


def message_of(dialect: str, answer: Answer) -> str:
    """The message of an error answer, its shape checked."""
    body = answer.json()
    assert answer.headers["content-type"] == "application/json"
    if dialect == "messages":
        assert set(body) == {"type", "error", "request_id"} and body["type"] == "error"
        assert body["error"]["type"] == ANTHROPIC_TYPES[answer.status]
        assert body["request_id"] == answer.headers["x-request-id"]
    else:
        assert set(body["error"]) >= {"message", "type", "param", "code"}
        assert body["error"]["request_id"] == answer.headers["x-request-id"]
    message: str = body["error"]["message"]
    return message


@pytest.mark.parametrize("provider", PROVIDERS, ids=lambda provider: provider.name)
async def test_each_status_becomes_ours(provider: Provider, log_dir: Path) -> None:
    async with served(provider, log_dir) as on:
        expected = []
        for dialect in DIALECTS:
            for status, (ours, code) in STATUSES.items():
                for stream in (False, True):
                    on.fake.failure = Failure(status, "the provider's own words")
                    answer = await on.ask(dialect, stream=stream)
                    assert answer.status == ours, (dialect, status, answer)
                    message = message_of(dialect, answer)
                    if status in (401, 403):  # these are about our credential: its words may quote it
                        assert "API key" in message and "own words" not in message
                    else:
                        assert "the provider's own words" in message
                    expected.append((answer.headers["x-request-id"], ours, code))
        records = await on.gateway.records()
        assert [(record["request_id"], record["status"], record["error_type"]) for record in records] == expected
        assert (await on.gateway.status())["upstream_connections"] == 1  # errors keep the connection


RETRY_AFTER = [
    ({"retry-after": "7"}, 7),
    ({"retry-after": "0.2"}, 1),
    ({"retry-after-ms": "2600"}, 3),
    ({"x-ms-retry-after-ms": "4000"}, 4),
    ({"retry-after-ms": "1500", "retry-after": "9"}, 2),
    ({"retry-after": "999999999"}, 86400),
    ({"retry-after": "-5"}, 1),
    ({"retry-after": "soon"}, None),
    ({"retry-after": "nan"}, None),
    ({}, None),
]


@pytest.mark.parametrize("status", [429, 503])
async def test_how_long_to_wait_is_passed_on(status: int, log_dir: Path) -> None:
    async with served(PROVIDERS[0], log_dir) as on:
        for headers, seconds in RETRY_AFTER:
            on.fake.failure = Failure(status, headers=headers)
            answer = await on.ask("chat")
            assert answer.headers.get("retry-after") == (str(seconds) if seconds else None), headers
        on.fake.failure = Failure(status, headers={"retry-after": formatdate(time.time() + 30, usegmt=True)})
        assert 27 <= int((await on.ask("messages")).headers["retry-after"]) <= 30


@pytest.mark.parametrize("provider", PROVIDERS, ids=lambda provider: provider.name)
async def test_a_wrong_credential_is_the_gateways_fault(provider: Provider, log_dir: Path) -> None:
    """The fakes answer as the real ones do, quoting the key; the caller must not see it, nor a 401 of its own."""
    wrong = "sk-wrong-but-secret"
    async with served(provider, log_dir, api_key=wrong) as on:
        for dialect in DIALECTS:
            answer = await on.ask(dialect)
            assert (answer.status, wrong.encode() in answer.body) == (502, False)
            assert "credential" in message_of(dialect, answer)


@pytest.mark.parametrize("provider", PROVIDERS, ids=lambda provider: provider.name)
async def test_an_upstream_that_quotes_the_credential_is_not_repeated(provider: Provider, log_dir: Path) -> None:
    """Proxies and debug pages of upstreams echo what they were sent."""
    secret, header = "sk-quoted-words-of-it", "extra-words-of-it"
    async with served(provider, log_dir, api_key=secret, headers={"x-extra": header}) as on:
        for status in (400, 404, 422, 429, 500, 503):
            on.fake.failure = Failure(status, f"your request had key {secret} and x-extra: {header}")
            for dialect in DIALECTS:
                answer = await on.ask(dialect)
                shown = answer.body + json.dumps(answer.headers).encode()
                assert b"words-of-it" not in shown, shown
        log = (await on.gateway.records()) and (log_dir / "gateway.jsonl").read_bytes()
        assert isinstance(log, bytes)
        for told in (secret, header, "my secret words", "your request"):
            assert told.encode() not in log
        assert secret.encode() not in (await on.gateway.get("/api/config")).body
        assert secret.encode() not in (await on.gateway.get("/api/models")).body


@pytest.mark.parametrize("provider", PROVIDERS, ids=lambda provider: provider.name)
async def test_a_callers_own_headers_stay_here(provider: Provider, log_dir: Path) -> None:
    async with served(provider, log_dir) as on:
        mine = {
            "Authorization": "Bearer sk-callers-own",
            "x-api-key": "sk-callers-own",
            "api-key": "sk-callers-own",
            "x-goog-api-key": "sk-callers-own",
            "anthropic-version": "1999-01-01",
            "OpenAI-Organization": "mine",
            "Host": "evil.example",
            "Cookie": "a=b",
        }
        body = write("chat", Ask())
        answer = await on.gateway.post(PATHS["chat"], body, mine)
        assert answer.status == 200, answer.body
        sent = on.upstream.requests[0].headers
        assert "sk-callers-own" not in str(sent) and not {"cookie", "openai-organization"} & set(sent)
        assert sent["host"] == f"127.0.0.1:{on.upstream.port}"


async def test_dropped_parameters_are_listed_in_a_header_that_cannot_be_abused(log_dir: Path) -> None:
    """A parameter's name is the caller's text: it may not write headers of its own."""
    async with served(next(one for one in PROVIDERS if one.name == "anthropic"), log_dir) as on:
        wanted = {"logit_bias": {"1": 1}, "evil\r\nset-cookie: a=b": 1, "日本": 1, "y" * 20_000: 1}
        allow = {"X-LLMOps-Allow-Dropped": "true"}
        answer = await on.gateway.post(PATHS["chat"], write("chat", Ask(), **wanted), allow)
        assert answer.status == 200, answer.body
        assert "set-cookie" not in answer.headers
        assert answer.headers["x-llmops-dropped"].startswith("logit_bias, ")
        assert len(answer.headers["x-llmops-dropped"]) < 8192
        assert (await on.gateway.records())[0]["dropped_parameters"][0] == "logit_bias"
