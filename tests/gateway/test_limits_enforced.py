"""Limits and budgets over HTTP: who is refused, in which words and shape, and what is told to those who are not."""

import asyncio
import re
from collections.abc import Callable, Mapping
from typing import Any

import pytest

from llmops.app import Stack
from llmops.clock import ManualClock
from llmops.config import load_settings
from llmops.errors import LimitReached
from llmops.opening import open_identity
from llmops.settings import Settings
from tests.fakes.gateway import CHAT, MESSAGES, Answer, Gateway

Build = Callable[..., Settings]
PATHS: dict[str, dict[str, Any]] = {
    "/v1/chat/completions": CHAT,
    "/v1/responses": {"model": "mock", "input": "Hi"},
    "/v1/messages": MESSAGES,
    "/v1/embeddings": {"model": "mock", "input": "Hi"},
    "/v1/messages/count_tokens": {"model": "mock", "messages": CHAT["messages"]},
}
ONCE = {"requests_per_second": 0.01, "burst": 1}
SLOW = {"slow": [{"provider": "mock", "mock": {"latency_ms": 300}}], "mini": [{"provider": "mock"}]}


def limited(build: Build, *rules: Mapping[str, Any], budgets: Any = (), **sections: Any) -> Settings:
    return build(SLOW, limits={"rules": list(rules), **sections.pop("limits", {})}, budgets=list(budgets), **sections)


async def chat(gateway: Gateway, headers: Mapping[str, str] | None = None, **fields: Any) -> Answer:
    return await gateway.post("/v1/chat/completions", {**CHAT, **fields}, headers)


def error_of(answer: Answer) -> dict[str, Any]:
    found: dict[str, Any] = answer.json()["error"]
    return found


# --- the shape of a refusal -------------------------------------------------------------------------------------------


@pytest.mark.parametrize("path", PATHS)
async def test_over_a_rate_in_every_dialect(path: str, settings: Build) -> None:
    async with Gateway(limited(settings, {**ONCE, "name": "team limit"})) as gateway:
        first, second = await gateway.post(path, PATHS[path]), await gateway.post(path, PATHS[path])
        assert (first.status, second.status) == (200, 429), second.body
        error = error_of(second)
        assert error["type"] == "rate_limit_error"
        assert error["message"].startswith(
            "the limit 'team limit' of 0.01 requests per second is reached; try again in"
        )
        assert 90 <= int(second.headers["retry-after"]) <= 100
        if "/messages" in path:
            assert second.json()["type"] == "error" and second.headers["request-id"]
        else:
            assert error["code"] == "rate_limit_exceeded"
        assert first.headers["x-ratelimit-limit-requests"] == second.headers["x-ratelimit-limit-requests"] == "1"
        assert (
            first.headers["x-ratelimit-remaining-requests"] == second.headers["x-ratelimit-remaining-requests"] == "0"
        )
        assert re.fullmatch(r"1m\d\ds", second.headers["x-ratelimit-reset-requests"])
        lines = await gateway.records()
        assert [(line["status"], line["error_type"], line["attempts"]) for line in lines] == [
            (200, None, 1),
            (429, "rate_limit_exceeded", 0),
        ]
        assert (lines[1]["cost_nanousd"], lines[1]["reserved_nanousd"], lines[1]["model"]) == (0, 0, "mock")


@pytest.mark.parametrize("path", ["/v1/chat/completions", "/v1/messages"])
async def test_over_a_budget_says_the_amount_and_when_it_resets(path: str, settings: Build) -> None:
    budget = {"usd": "0.0000001", "window": "month", "name": "acme"}
    async with Gateway(limited(settings, budgets=[budget])) as gateway:
        answer = await gateway.post(path, PATHS[path])
        error = error_of(answer)
        assert answer.status == 402 and "retry-after" not in answer.headers
        assert error["type"] == ("billing_error" if "messages" in path else "insufficient_quota")
        assert re.fullmatch(
            r"the budget 'acme' of \$0\.0000001 is used up: \$0\.00 spent or reserved this month, "
            r"up to \$0\.\d+ needed; it resets at \d{4}-\d\d-01T00:00:00Z",
            error["message"],
        )
        assert [(line["status"], line["error_type"]) for line in await gateway.records()] == [(402, "budget_exceeded")]


async def test_both_kinds_of_headers_on_answers_and_streams(settings: Build) -> None:
    async with Gateway(limited(settings, limits={"requests_per_second": 100, "tokens_per_minute": 100_000})) as gateway:
        for stream in (False, True):
            answer = await chat(gateway, stream=stream, max_tokens=10)
            assert answer.status == 200
            found = {name[12:]: value for name, value in answer.headers.items() if name.startswith("x-ratelimit-")}
            assert (found["limit-requests"], found["limit-tokens"]) == ("100", "100000")
            assert int(found["remaining-requests"]) >= 98 and 99_000 < int(found["remaining-tokens"]) < 100_000
            assert re.fullmatch(r"\d+ms", found["reset-requests"])


async def test_without_limits_there_are_no_such_headers(settings: Build) -> None:
    async with Gateway(settings()) as gateway:
        answer = await chat(gateway)
        assert not [name for name in answer.headers if name.startswith(("x-ratelimit", "retry"))]


async def test_a_call_that_never_fits_is_told_so_and_not_to_try_again(settings: Build) -> None:
    async with Gateway(limited(settings, {"tokens_per_minute": 20})) as gateway:
        answer = await chat(gateway, max_tokens=500)
        assert (answer.status, "retry-after" in answer.headers) == (429, False)
        assert "can never take this call, which needs about" in error_of(answer)["message"]
        assert (await chat(gateway, max_tokens=1, messages=[])).status in (200, 400)


async def test_a_quota_of_tokens_counts_what_was_used_not_what_was_reserved(settings: Build) -> None:
    async with Gateway(limited(settings, {"tokens_per_day": 1200, "name": "day"})) as gateway:
        statuses = [(await chat(gateway, max_tokens=None)).status for _ in range(8)]
        assert statuses[:5] == [200] * 5, "each reserves a thousand and uses some twenty-five"
        refused = await gateway.post("/v1/chat/completions", {**CHAT, "messages": [CHAT["messages"][0]] * 10})
        assert refused.status == 429 and "the quota 'day' of 1200 tokens is used up" in error_of(refused)["message"]
        assert 0 < int(refused.headers["retry-after"]) <= 86_400


async def test_concurrent_calls_and_their_places_come_back(settings: Build) -> None:
    async with Gateway(limited(settings, {"concurrent_calls": 2})) as gateway:
        answers = await asyncio.gather(*[chat(gateway, model="slow") for _ in range(5)])
        assert sorted(answer.status for answer in answers) == [200, 200, 429, 429, 429]
        refused = next(answer for answer in answers if answer.status == 429)
        assert refused.headers["retry-after"] == "1" and "of 2 concurrent calls" in error_of(refused)["message"]
        assert [(await chat(gateway)).status for _ in range(3)] == [200] * 3
        assert (await gateway.status())["ledger"]["open"] == 0


@pytest.mark.parametrize("stream", [True, False])
async def test_a_client_that_leaves_gives_its_place_back(stream: bool, settings: Build) -> None:
    slow = {"slow": [{"provider": "mock", "mock": {"tokens_per_second": 5, "words": 100}}]}
    async with Gateway(settings(slow, limits={"rules": [{"concurrent_calls": 1}]})) as gateway:
        for _ in range(3):
            async with await gateway.open(
                "/v1/chat/completions", {**CHAT, "model": "slow", "stream": stream}
            ) as client:
                if stream:
                    await client.read_head()
                else:
                    await asyncio.sleep(0.05)
                client.hang_up()
            async with asyncio.timeout(5):
                while (await gateway.status())["ledger"]["open"]:
                    pass
        assert (await chat(gateway)).status == 200


# --- whom a limit is about --------------------------------------------------------------------------------------------

Variant = tuple[dict[str, Any], dict[str, str]]
MINE: dict[str, tuple[Variant, Variant]] = {
    "user": (({"user": "ann"}, {}), ({"user": "bob"}, {})),
    "user by header": (({}, {"x-llmops-user": "ann"}), ({}, {"x-llmops-user": "bob"})),
    "model": (({}, {}), ({"model": "mini"}, {})),
    "tag:feature": (({}, {"x-llmops-tags": "feature=a"}), ({}, {"x-llmops-tags": "feature=b"})),
}


@pytest.mark.parametrize("dimension", MINE)
async def test_each_has_a_count_of_its_own(dimension: str, settings: Build) -> None:
    (one, other), per = MINE[dimension], dimension.split(" ")[0]
    async with Gateway(limited(settings, {**ONCE, "per": per})) as gateway:

        async def ask(variant: Variant) -> int:
            return (await chat(gateway, variant[1], **variant[0])).status

        assert [await ask(one), await ask(one), await ask(other), await ask(other)] == [200, 429, 200, 429]
        if dimension == "user":
            assert await ask(({}, {"x-llmops-user": "ann"})) == 429, "by field or by header, it is the same user"
            assert await ask(({"user": "bob"}, {"x-llmops-user": "carol"})) == 429, "the body's word counts"
        if per != "model":
            assert [await ask(({}, {})) for _ in range(3)] == [200] * 3, "who is nobody is not bound"


async def test_a_limit_per_address(settings: Build) -> None:
    async with Gateway(limited(settings, {**ONCE, "per": "ip"}, {**ONCE, "where": {"ip": "10.*"}})) as gateway:
        assert [(await chat(gateway)).status for _ in range(2)] == [200, 429]


async def test_patterns_narrow_a_limit_and_combinations_multiply_it(settings: Build) -> None:
    rule = {**ONCE, "per": ["user", "model"], "where": {"model": "mi*"}}
    async with Gateway(limited(settings, rule)) as gateway:
        found = [
            (await chat(gateway, user=user, model=model)).status
            for model in ("mini", "mock")
            for user in ("ann", "ann", "bob", "bob")
        ]
        assert found == [200, 429, 200, 429, 200, 200, 200, 200]


async def test_keys_and_tenants_and_their_users_are_apart(settings: Build) -> None:
    """The same user's name in two tenants is two users, and a tag of one tenant is nothing to the other."""
    rules = [
        {**ONCE, "per": "user", "where": {"model": "mini"}},
        {"requests_per_second": 0.01, "burst": 2, "per": "key", "where": {"model": "mock"}},
        {"requests_per_second": 0.01, "burst": 3, "per": "tenant", "where": {"model": "mock"}},
        {**ONCE, "per": "tag:t", "name": "tags"},
    ]
    built = limited(settings, *rules)
    identity = open_identity(built, ManualClock())
    keys: dict[str, str] = {}
    for name, tenant in (("a1", "acme"), ("a2", "acme"), ("b", "other")):
        if name != "a2":
            identity.registry.create_tenant(tenant)
        keys[name] = str(identity.registry.create_key(name=name, role="caller", tenant=tenant)[1])
    identity.close()
    async with Gateway(built) as gateway:

        async def ask(holder: str, headers: Mapping[str, str] | None = None, **fields: Any) -> int:
            return (
                await chat(gateway, {"Authorization": f"Bearer {keys[holder]}", **(headers or {})}, **fields)
            ).status

        ann: dict[str, Any] = {"model": "mini", "user": "ann"}
        assert [await ask("a1", **ann), await ask("a2", **ann), await ask("b", **ann)] == [200, 429, 200]
        assert [await ask("a1"), await ask("a1"), await ask("a1")] == [200, 200, 429], "two for each key"
        assert [await ask("a2"), await ask("a2"), await ask("b")] == [200, 429, 200], "three for each tenant"
        tagged = {"x-llmops-tags": "t=x"}
        assert [await ask(holder, tagged, model="slow") for holder in ("a1", "a2", "b")] == [200, 429, 200]


# --- settings ---------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("variable", "value", "message"),
    [
        ("RATE_LIMIT_QPS", "1", "'requests_per_second per all' of 1 requests per second"),
        ("RATE_LIMIT_TPM", "1100", "'tokens_per_minute per all' of 1100 tokens per minute"),
    ],
)
async def test_the_two_variables(
    variable: str, value: str, message: str, settings: Build, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv(variable, value)
    limits = load_settings(None).limits
    async with Gateway(settings(SLOW).model_copy(update={"limits": limits})) as gateway:
        answers = await asyncio.gather(*[chat(gateway, model="slow") for _ in range(2)])
        assert sorted(answer.status for answer in answers) == [200, 429]
        refused = next(answer for answer in answers if answer.status == 429)
        assert message in error_of(refused)["message"]


async def test_shadow_mode_blocks_nothing_and_is_in_the_record(settings: Build) -> None:
    rules = [
        {**ONCE, "name": "rate", "shadow": True},
        {"tokens_per_minute": 5, "name": "tpm", "shadow": True},
        {"concurrent_calls": 1, "name": "one", "shadow": True},
        {"tokens_per_day": 5, "name": "day", "shadow": True},
    ]
    async with Gateway(limited(settings, *rules)) as gateway:
        answers = await asyncio.gather(*[chat(gateway, model="slow") for _ in range(2)])
        assert [answer.status for answer in answers] == [200, 200]
        assert not [name for name in answers[0].headers if name.startswith("x-ratelimit")]
        over = sorted(line["limits_over"] for line in await gateway.records())
        assert over == [["rate", "tpm", "one", "day"], ["tpm", "day"]]


async def test_a_soft_budget_only_says_so(settings: Build) -> None:
    budgets = [{"usd": "0.000000001", "hard": False, "name": "soft"}]
    async with Gateway(limited(settings, budgets=budgets)) as gateway:
        assert [(await chat(gateway)).status for _ in range(2)] == [200, 200]
        assert [line["limits_over"] for line in await gateway.records()] == [["soft"], ["soft"]]


async def test_a_reload_exchanges_rules_and_keeps_counts(settings: Build) -> None:
    day = {"tokens_per_day": 1050, "per": "tenant"}
    long = {**CHAT, "messages": [{"role": "user", "content": "x" * 3000}], "max_tokens": 20}
    async with Stack(limited(settings, day, {**ONCE, "name": "r"})) as stack:
        await stack.call("chat", long)
        with pytest.raises(LimitReached, match="'r'"):
            await stack.call("chat", {**CHAT, "max_tokens": 1})
        assert stack.reload(limited(settings, day)) == []
        with pytest.raises(LimitReached, match=r"of 1050 tokens is used up: 7\d\d used today"):
            await stack.call("chat", long)
        stack.reload(limited(settings, {**day, "tokens_per_day": 2100}))
        await stack.call("chat", long)
        with pytest.raises(LimitReached, match=r"of 2100 tokens is used up: 1\d\d\d used today"):
            await stack.call("chat", {**long, "messages": [{"role": "user", "content": "x" * 4000}]})


async def test_a_reload_takes_what_is_assumed_of_unknown_models(settings: Build) -> None:
    async with Stack(limited(settings, limits={"assumed_output_tokens": 10})) as stack:
        stack.reload(limited(settings, {"tokens_per_minute": 500}, limits={"assumed_output_tokens": 700}))
        with pytest.raises(LimitReached, match="needs about 7"):
            await stack.call("chat", CHAT)


async def test_a_reload_while_calls_are_open_loses_none_of_them(settings: Build) -> None:
    one = limited(settings, {"concurrent_calls": 2, "name": "two"}, budgets=[{"usd": 1}])
    async with Stack(one) as stack:
        calls = [asyncio.ensure_future(stack.call("chat", {**CHAT, "model": "slow"})) for _ in range(2)]
        await asyncio.sleep(0.05)
        stack.reload(limited(settings))
        stack.reload(one)
        with pytest.raises(LimitReached, match="'two'"):
            await stack.call("chat", CHAT)
        await asyncio.gather(*calls)
        assert stack.parts.desk.ledger.open == 0
        await stack.call("chat", CHAT)
