"""Last resorts in the whole pipeline: what answers, in which shape, at which price, and when nothing may."""

import asyncio
import json
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from typing import Any

import pytest

from llmops.app import Stack
from llmops.clock import ManualClock
from llmops.errors import LLMOpsError, UpstreamRejected, UpstreamTimeout, UpstreamUnavailable
from llmops.policies.last_resorts import last_resorts
from llmops.resilience.resort import OtherModel, Stale, Template
from llmops.settings import Settings
from llmops.types import CacheWish, Call, Deployment, Outcome, Reply, Usage

from .handlers import a_call
from .house import CLOCK, Place

Build = Callable[..., Settings]
DEAD = {"provider": "mock", "mock": {"error_rate": 1}, "price": {"input": 100, "output": 100}}
ONCE = {**DEAD, "mock": {"error_rate": 0.5, "seed": 22}}
"""Answers once; with this seed the two calls after that fail."""
CHEAP = {"provider": "mock", "mock": {"reply": "cheap words"}, "price": {"input": 1, "output": 3}}
TEXT = "We cannot answer right now.\nPlease try again."
HI = [{"role": "user", "content": "Hi"}]
ASKED: dict[str, dict[str, Any]] = {
    "chat": {"model": "house", "messages": HI},
    "responses": {"model": "house", "input": "Hi"},
    "messages": {"model": "house", "max_tokens": 64, "messages": HI},
}
CACHE = {"enabled": True, "ttl_seconds": 60, "stale_seconds": 600}


@asynccontextmanager
async def house(settings: Build, *resorts: Any, dead: Any = DEAD, **sections: Any) -> AsyncIterator[Stack]:
    """A gateway whose ``house`` is dead, beside ``cheap`` and ``dead``."""
    models = {
        "house": {"deployments": [dead], "last_resorts": list(resorts)},
        "cheap": [CHEAP],
        "dead": [{**DEAD, "name": "grave"}],
    }
    sections = {"resilience": {}, "llm": {"max_retries": 0}, **sections}
    async with Stack(settings(models, **sections), clock=ManualClock(), seed=1) as stack:
        yield stack


async def records(stack: Stack) -> list[dict[str, Any]]:
    await stack.parts.log.flush()
    lines = (stack.settings.log.dir / "gateway.jsonl").read_text().splitlines()
    assert stack.parts.desk.ledger.open == 0
    return [json.loads(line) for line in lines]


async def whole(reply: Reply) -> bytes:
    return reply.body if reply.stream is None else b"".join([events async for events in reply.stream])


def words(operation: str, raw: bytes, *, stream: bool) -> str:
    """What an answer says."""
    if not stream:
        body = json.loads(raw)
        match operation:
            case "chat":
                return str(body["choices"][0]["message"]["content"])
            case "responses":
                return str(body["output"][0]["content"][0]["text"])
        return str(body["content"][0]["text"])
    events = [json.loads(line[6:]) for line in raw.decode().splitlines() if line.startswith("data: {")]
    match operation:
        case "chat":
            return "".join(each["delta"].get("content") or "" for event in events for each in event["choices"])
        case "responses":
            return "".join(event["delta"] for event in events if event["type"] == "response.output_text.delta")
    return "".join(event["delta"].get("text", "") for event in events if event["type"] == "content_block_delta")


def ends(operation: str, raw: bytes, *, stream: bool) -> bool:
    """Whether an answer ended as one that is complete does."""
    match operation, stream:
        case "chat", False:
            return bool(json.loads(raw)["choices"][0]["finish_reason"] == "stop")
        case "chat", True:
            return b'"finish_reason":"stop"' in raw and raw.endswith(b"data: [DONE]\n\n")
        case "responses", False:
            return bool(json.loads(raw)["status"] == "completed")
        case "responses", True:
            return b"event: response.completed" in raw
        case _, False:
            return bool(json.loads(raw)["stop_reason"] == "end_turn")
    return b'"stop_reason":"end_turn"' in raw and b"event: message_stop" in raw


@pytest.mark.parametrize("stream", [False, True])
@pytest.mark.parametrize("operation", ASKED)
async def test_a_template_in_every_dialect(operation: Any, stream: bool, settings: Build) -> None:
    async with house(settings, {"template": TEXT}) as stack:
        reply = await stack.call(operation, {**ASKED[operation], "stream": stream})
        raw = await whole(reply)
        assert words(operation, raw, stream=stream) == TEXT and ends(operation, raw, stream=stream)
        (record,) = await records(stack)
    assert (record["status"], record["error_type"], record["degraded"]) == (200, None, "template")
    assert (record["cost_nanousd"], record["token_usage"]["source"], record["cached"]) == (0, "none", False)
    assert (record["attempts"], record["deployment"], record["provider"]) == (1, None, "none")
    assert [each["deployment"] for each in record["failed_attempts"]] == ["house/0"]
    assert (record["model"], record["requested_model"], record["finish_reason"]) == ("house", "house", "stop")
    assert record["reserved_nanousd"] > 0


@pytest.mark.parametrize("cached", [False, True])
@pytest.mark.parametrize("stream", [False, True])
@pytest.mark.parametrize("operation", ASKED)
async def test_another_model_in_every_dialect(operation: Any, stream: bool, cached: bool, settings: Build) -> None:
    async with house(settings, {"model": "cheap"}, cache={"enabled": cached}) as stack:
        raw = await whole(await stack.call(operation, {**ASKED[operation], "stream": stream}))
        assert words(operation, raw, stream=stream) == "cheap words" and ends(operation, raw, stream=stream)
        (record,) = await records(stack)
    used = record["token_usage"]
    assert used["completion"] == 2 and record["cost_nanousd"] == used["prompt"] * 1000 + used["completion"] * 3000
    assert (record["degraded"], record["deployment"], record["upstream_model"]) == ("model:cheap", "cheap/0", "cheap")
    assert (record["model"], record["requested_model"], record["attempts"]) == ("house", "house", 2)
    assert [each["deployment"] for each in record["failed_attempts"]] == ["house/0"]


async def test_the_price_of_another_model_may_stand_under_its_public_name(settings: Build) -> None:
    unpriced = [{"provider": "mock", "name": "c", "mock": {"reply": "one two three"}}]
    models = {"house": {"deployments": [DEAD], "last_resorts": [{"model": "cheap"}]}, "cheap": unpriced}
    prices = {"house": {"input": 7, "output": 7}, "cheap": {"input": 0, "output": 5}}
    async with Stack(settings(models, prices=prices), clock=ManualClock()) as stack:
        await stack.call("chat", ASKED["chat"])
        assert [each["cost_nanousd"] for each in await records(stack)] == [3 * 5000]


@pytest.mark.parametrize("stream", [False, True])
@pytest.mark.parametrize("operation", ASKED)
async def test_a_kept_answer_that_is_too_old(operation: Any, stream: bool, settings: Build) -> None:
    body = {**ASKED[operation], "stream": stream}
    async with house(settings, "stale", {"template": TEXT}, dead=ONCE, cache=CACHE) as stack:
        fresh = await whole(await stack.call(operation, body))
        assert isinstance(stack.parts.clock, ManualClock)
        stack.parts.clock.advance(120)
        reply = await stack.call(operation, body)
        assert await whole(reply) == fresh and reply.cache is not None
        assert (reply.cache.state, reply.cache.age_s) == ("stale", 120)
        stack.parts.clock.advance(600)
        assert words(operation, await whole(await stack.call(operation, body)), stream=stream) == TEXT
        first, second, third = await records(stack)
    assert first["cost_nanousd"] > 0 and first["degraded"] is None
    assert (second["degraded"], second["cost_nanousd"], second["cached"], second["cache"]) == (
        "stale",
        0,
        True,
        "stale",
    )
    assert second["saved_nanousd"] == first["cost_nanousd"] and second["token_usage"]["source"] == "none"
    assert (third["degraded"], third["cost_nanousd"]) == ("template", 0)


async def test_the_list_is_gone_through_in_order(settings: Build) -> None:
    async with house(settings, "stale", {"model": "dead"}, {"model": "cheap"}, {"template": TEXT}) as stack:
        raw = await whole(await stack.call("chat", ASKED["chat"]))
        assert words("chat", raw, stream=False) == "cheap words"
        (record,) = await records(stack)
    assert (record["degraded"], record["attempts"]) == ("model:cheap", 3)
    assert [each["deployment"] for each in record["failed_attempts"]] == ["house/0", "grave"]


async def test_where_everything_fails_all_is_told(settings: Build) -> None:
    async with house(settings, {"model": "dead"}, "stale") as stack:
        with pytest.raises(UpstreamUnavailable, match=r"fails on demand .*last resorts failed as well: model:dead: "):
            await stack.call("chat", ASKED["chat"])
        (record,) = await records(stack)
    assert (record["status"], record["degraded"], record["requested_model"], record["model"]) == (
        503,
        None,
        "house",
        "house",
    )
    assert record["cost_nanousd"] == 0 and record["attempts"] == 2


async def test_another_models_own_last_resorts_are_not_followed(settings: Build) -> None:
    models = {
        "house": {"deployments": [DEAD], "last_resorts": [{"model": "next"}]},
        "next": {"deployments": [{**DEAD, "name": "n"}], "last_resorts": [{"template": TEXT}]},
    }
    async with Stack(settings(models)) as stack:
        with pytest.raises(UpstreamUnavailable):
            await stack.call("chat", ASKED["chat"])


async def test_what_the_caller_got_wrong_is_no_outage(settings: Build) -> None:
    async with house(settings, {"template": TEXT}, dead={"provider": "mock", "name": "h"}) as stack:
        with pytest.raises(LLMOpsError) as caught:
            await stack.call("chat", {**ASKED["chat"], "messages": [{"role": "nobody", "content": 7}]})
        assert caught.value.status == 400


async def test_embeddings_get_no_words_and_no_other_models_vectors(settings: Build) -> None:
    async with house(settings, {"model": "cheap"}, {"template": TEXT}) as stack:
        for operation, body in (
            ("embeddings", {"model": "house", "input": "Hi"}),
            ("count_tokens", {"model": "house", "messages": HI}),
        ):
            with pytest.raises(UpstreamUnavailable):
                await stack.call(operation, body)  # type: ignore[arg-type]


JSON_MODE = {"response_format": {"type": "json_object"}}


@pytest.mark.parametrize(
    ("template", "asked", "answered"),
    [
        ("Sorry.", JSON_MODE, None),
        ('{"answer": null}', JSON_MODE, '{"answer": null}'),
        (
            '{"answer": null}',
            {
                "response_format": {
                    "type": "json_schema",
                    "json_schema": {"name": "a", "schema": {"type": "object", "required": ["words"]}},
                }
            },
            None,
        ),
    ],
)
@pytest.mark.parametrize("stream", [False, True])
async def test_a_template_that_is_not_the_json_demanded_is_passed_over(
    template: str, asked: dict[str, Any], answered: str | None, stream: bool, settings: Build
) -> None:
    async with house(settings, {"template": template}) as stack:
        body = {**ASKED["chat"], **asked, "stream": stream}
        if answered is None:
            with pytest.raises(UpstreamUnavailable):
                await stack.call("chat", body)
        else:
            assert words("chat", await whole(await stack.call("chat", body)), stream=stream) == answered
        (record,) = await records(stack)
    assert (record["status"], record["json_valid"]) == ((503, None) if answered is None else (200, True))


async def test_as_many_templates_as_choices_within_reason(settings: Build) -> None:
    async with house(settings, {"template": TEXT}) as stack:
        for asked, answered in ((3, 3), (1_000_000_000, 128)):
            reply = await stack.call("chat", {**ASKED["chat"], "n": asked})
            assert [each["index"] for each in json.loads(reply.body)["choices"]] == list(range(answered))


async def test_identical_calls_at_the_same_time_share_the_other_model(settings: Build) -> None:
    """Their shared call fails, and so they share the next one: one of them pays for it."""
    slow = {**DEAD, "name": "h", "mock": {"error_rate": 1}}
    async with house(settings, {"model": "cheap"}, dead=slow, cache=CACHE) as stack:
        replies = await asyncio.gather(*(stack.call("chat", ASKED["chat"]) for _ in range(20)))
        assert {words("chat", reply.body, stream=False) for reply in replies} == {"cheap words"}
        found = await records(stack)
    assert {each["degraded"] for each in found} == {"model:cheap"} and {each["model"] for each in found} == {"house"}
    assert sorted(each["cost_nanousd"] > 0 for each in found) == [False] * 19 + [True]


async def test_an_answer_that_was_repaired_in_vain_is_paid_for_beside_the_last_resort(settings: Build) -> None:
    """The first answer is no JSON, and while it is asked for again the model dies."""
    json_too = {**CHEAP, "name": "j", "mock": {"reply": '{"a":1}'}}
    models = {"house": {"deployments": [ONCE], "last_resorts": [{"model": "j"}]}, "j": [json_too]}
    async with Stack(settings(models, llm={"json_repair_attempts": 1})) as stack:
        reply = await stack.call("chat", {**ASKED["chat"], **JSON_MODE, "max_tokens": 4})
        assert words("chat", reply.body, stream=False) == '{"a":1}' and reply.json_valid
        (record,) = await records(stack)
    used = record["token_usage"]
    assert used["completion"] > reply.outcome.usage.completion and used["prompt"] == 2 * reply.outcome.usage.prompt
    assert record["cost_nanousd"] == used["prompt"] * 1000 + used["completion"] * 3000


# --- the policy alone -------------------------------------------------------------------------------------------


def policy(*resorts: Any, timeout_s: float = 600.0) -> Any:
    return last_resorts({"m": resorts}, None, {}, {"chat": object()}, CLOCK, timeout_s)  # type: ignore[dict-item]


async def test_without_lists_the_pipeline_is_left_as_it_is() -> None:
    async def handle(call: Call) -> Reply:
        raise AssertionError

    assert policy()(handle) is handle


def owed(name: str) -> Deployment:
    return Deployment(name=name, provider=Place("ok"), model=None)


async def test_what_was_used_before_is_not_forgotten() -> None:
    """A repair that met an outage: what its first answer used was paid for, and is charged beside the last resort."""
    seen: list[Usage | None] = []

    async def handle(call: Call) -> Reply:
        seen.append(call.spent)
        call.attempts += 1
        call.deployment = owed(call.view.model)
        if call.view.model == "m":
            call.spent = Usage(prompt=3, completion=4)
            raise UpstreamTimeout("silence")
        call.spent = Usage(prompt=1, completion=1)
        raise UpstreamUnavailable("no", upstream_status=503)

    call = a_call(model="m")
    call.model = "m"
    with pytest.raises(UpstreamTimeout, match=r"silence \(last resorts failed as well: model:b: no\)"):
        await policy(OtherModel("b"), Stale())(handle)(call)
    assert seen == [None, None] and call.spent is not None and (call.spent.prompt, call.spent.completion) == (4, 5)
    assert [(each.deployment, each.in_doubt) for each in call.failed] == [("m", True), ("b", False)]
    assert (call.view.model, call.model, call.body, call.asked) == ("m", "m", b"{}", None)


async def test_the_calls_time_bounds_the_other_model() -> None:
    async def handle(call: Call) -> Reply:
        if call.view.model == "m":
            raise UpstreamUnavailable("no")
        assert (call.timeout_s, call.body) == (42.0, b'{"model":"b"}')
        return Reply(outcome=Outcome())

    call = a_call(model="m")
    call.model = "m"
    await policy(OtherModel("b"), timeout_s=42.0)(handle)(call)
    assert (call.degraded, call.asked, call.view.model, call.model) == ("model:b", "m", "b", "m")


@pytest.mark.parametrize(
    ("error", "may_degrade"),
    [(UpstreamRejected("too long", upstream_status=400), True), (UpstreamUnavailable("no"), False)],
)
async def test_what_is_raised_as_it_is(error: LLMOpsError, may_degrade: bool) -> None:
    async def handle(call: Call) -> Reply:
        raise error

    call = a_call(model="m", may_degrade=may_degrade)
    call.model = "m"
    with pytest.raises(LLMOpsError) as caught:
        await policy(Template("Later."), OtherModel("b"))(handle)(call)
    assert caught.value is error and call.degraded is None


async def test_a_caller_that_leaves_meanwhile_has_asked_for_what_it_asked_for() -> None:
    async def handle(call: Call) -> Reply:
        if call.view.model == "m":
            raise UpstreamUnavailable("no")
        call.model = "b"
        raise asyncio.CancelledError

    call = a_call(model="m", cache=CacheWish())
    call.model = "m"
    with pytest.raises(asyncio.CancelledError):
        await policy(OtherModel("b"))(handle)(call)
    assert (call.model, call.asked) == ("m", "m")
