"""Outages at the real server: what the reply says of a last resort, what is told where there is none, and what callers
may ask."""

from collections.abc import Callable
from typing import Any

import pytest

from llmops.opening import open_identity
from llmops.settings import Settings
from tests.fakes.gateway import CHAT, USER, Gateway
from tests.fakes.upstream import Upstream, answering
from tests.serving import free_port

Build = Callable[..., Settings]
PATH = "/v1/chat/completions"
DEAD = {"provider": "mock", "mock": {"error_rate": 1}}
HOUSE = {**CHAT, "model": "house"}
ON: dict[str, Any] = {"resilience": {}, "llm": {"max_retries": 0}}


def house(settings: Build, *resorts: Any, **sections: Any) -> Settings:
    models = {"house": {"deployments": [DEAD], "last_resorts": list(resorts)}, "cheap": [{"provider": "mock"}]}
    return settings(models, **{**ON, **sections})


@pytest.mark.parametrize("stream", [False, True])
async def test_the_reply_says_which(stream: bool, settings: Build) -> None:
    async with Gateway(house(settings, {"model": "cheap"})) as gateway:
        answer = await gateway.post(PATH, {**HOUSE, "stream": stream})
        assert (answer.status, answer.headers["x-llmops-degraded"]) == (200, "model:cheap")
        assert answer.headers["x-llmops-deployment"] == "cheap/0"
        plain = await gateway.post(PATH, {**CHAT, "model": "cheap", "stream": stream})
        assert "x-llmops-degraded" not in plain.headers
        metrics = (await gateway.get("/metrics")).body.decode()
    assert 'llm_degraded_total{model="house",resort="model:cheap"} 1.0' in metrics


async def test_a_template_comes_from_no_deployment(settings: Build) -> None:
    async with Gateway(house(settings, {"template": "Later."})) as gateway:
        answer = await gateway.post(PATH, HOUSE)
        assert (answer.status, answer.headers["x-llmops-degraded"]) == (200, "template")
        assert not {"x-llmops-deployment", "x-llmops-cache", "age"} & set(answer.headers)
        assert answer.json()["model"] == "house" and answer.json()["choices"][0]["finish_reason"] == "stop"


async def test_a_kept_answer_says_how_old_it_is(settings: Build) -> None:
    once = {"provider": "mock", "mock": {"error_rate": 0.5, "seed": 22}}  # the second call fails, and the third
    models = {"house": {"deployments": [once], "last_resorts": ["stale", {"template": "Later."}]}}
    cache = {"enabled": True, "stale_seconds": 600}
    async with Gateway(settings(models, cache=cache, **ON)) as gateway:
        fresh = await gateway.post(PATH, HOUSE, {"X-LLMOps-Cache-TTL": "0"})
        stale = await gateway.post(PATH, HOUSE)
        assert (stale.status, stale.body) == (200, fresh.body)
        assert (stale.headers["x-llmops-degraded"], stale.headers["x-llmops-cache"]) == ("stale", "stale")
        assert int(stale.headers["age"]) < 60 and "x-llmops-deployment" not in stale.headers
        new = await gateway.post(PATH, HOUSE, {"Cache-Control": "no-cache"})
        assert new.headers["x-llmops-degraded"] == "template", "an answer of today was wanted"


async def test_a_caller_may_refuse(settings: Build) -> None:
    async with Gateway(house(settings, {"template": "Later."})) as gateway:
        refused = await gateway.post(PATH, HOUSE, {"X-LLMOps-Degrade": "Never"})
        assert refused.status == 503 and "x-llmops-degraded" not in refused.headers
        wrong = await gateway.post(PATH, HOUSE, {"X-LLMOps-Degrade": "always"})
        assert wrong.status == 400 and "x-llmops-degrade must be never" in wrong.json()["error"]["message"]


async def test_a_key_needs_no_right_to_what_the_operator_put_in_the_list(settings: Build) -> None:
    """The list is the operator's; a key that may ask for the model may have what stands in for it."""
    built = house(settings, {"model": "cheap"})
    identity = open_identity(built)
    caller = {"Authorization": f"Bearer {identity.registry.create_key(name='n', models=['house'])[1]}"}
    identity.close()
    async with Gateway(built) as gateway:
        answer = await gateway.post(PATH, HOUSE, caller)
        assert (answer.status, answer.headers.get("x-llmops-degraded")) == (200, "model:cheap")
        assert (await gateway.post(PATH, {**CHAT, "model": "cheap"}, caller)).status == 403


async def test_a_model_whose_deployments_are_all_dead_tells_which_and_why(settings: Build) -> None:
    async with Upstream(answering(401, {"error": {"message": "no such key"}})) as barred:
        async with Upstream(answering(503, {"error": {"message": "model is loading"}})) as loading:
            urls = {"gone": f"http://127.0.0.1:{free_port()}", "barred": barred.url, "loading": loading.url}
            deployments = [
                {"name": name, "provider": "openai", "preset": "vllm", "base_url": f"{url}/v1"}
                for name, url in urls.items()
            ]
            built = settings({"house": deployments}, resilience={}, llm={"max_retries": 2})
            async with Gateway(built) as gateway:
                answer = await gateway.post(PATH, HOUSE)
                (record,) = await gateway.records()
    assert answer.status == 503
    told = answer.json()["error"]["message"]
    assert "'gone' failed: " in told and "'barred' failed: " in told and "'loading' failed: " in told
    assert "model is loading" in told
    assert [each["deployment"] for each in record["failed_attempts"]] == ["gone", "barred", "loading"]


@pytest.mark.parametrize(
    ("header", "value"),
    [
        ("X-Request-Timeout-Ms", "-1"),
        ("X-Request-Timeout-Ms", "0"),
        ("X-Request-Timeout-Ms", "1e9"),
        ("X-Request-Timeout-Ms", "999999999999"),
        ("X-Request-Timeout-Ms", "NaN"),
        ("X-Request-Timeout-Ms", "soon"),
        ("grpc-timeout", "-5S"),
        ("grpc-timeout", "99999999H"),
        ("X-LLMOps-Stage", "grading"),
        ("X-LLMOps-Stage-Timeout-Ms", "5"),
    ],
)
async def test_deadlines_that_cannot_be_meant_are_refused(header: str, value: str, settings: Build) -> None:
    async with Gateway(house(settings, {"template": "Later."})) as gateway:
        answer = await gateway.post(PATH, {"model": "cheap", "messages": USER}, {header: value})
        assert answer.status == 400 and header.lower() in answer.json()["error"]["message"]
        (record,) = await gateway.records()
    assert (record["status"], record["error_type"]) == (400, "invalid_request")
