"""The cache of a running gateway: what is asked again costs nothing, and nobody gets another's answer."""

import asyncio
import json
import sys
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from typing import Any

import pytest

from llmops.opening import open_identity
from llmops.settings import Settings
from tests.fakes.gateway import USER, Answer, Gateway
from tests.fakes.upstream import Script, Upstream, Wire
from tests.fakes.wires import data
from tests.serving import environment

Build = Callable[..., Settings]
CHAT = {"model": "m", "messages": USER}
CALL_NANOUSD = 10 * 1000 + 20 * 3000


class Model:
    """An upstream that numbers its answers; each uses 10 and 20 tokens. ``gate`` holds it back while it is closed."""

    def __init__(self) -> None:
        self.answered = 0
        self.gate = asyncio.Event()
        self.gate.set()
        self.breaks = False

    async def __call__(self, wire: Wire) -> None:
        number, self.answered = self.answered, self.answered + 1
        await self.gate.wait()
        usage = {"prompt_tokens": 10, "completion_tokens": 20, "total_tokens": 30}
        if b'"stream":true' not in wire.request.body.replace(b" ", b""):
            message = {"role": "assistant", "content": f"answer {number}"}
            choice = {"index": 0, "message": message, "finish_reason": "stop"}
            await wire.answer(200, {"id": f"c{number}", "model": "m", "choices": [choice], "usage": usage})
            return
        head = {"id": f"c{number}", "object": "chat.completion.chunk", "model": "m", "created": 1}
        await wire.begin()
        for word in ("answer ", str(number)):
            choice = {"index": 0, "delta": {"content": word}, "finish_reason": None}
            await wire.chunk(data({**head, "choices": [choice]}))
        if self.breaks:
            wire.cut()
            return
        await wire.chunk(data({**head, "choices": [{"index": 0, "delta": {}, "finish_reason": "stop"}]}))
        await wire.chunk(data({**head, "choices": [], "usage": usage}))
        await wire.chunk(b"data: [DONE]\n\n")
        await wire.end()


class House:
    def __init__(self, gateway: Gateway, model: Model, upstream: Upstream, keys: dict[str, str]) -> None:
        self.gateway = gateway
        self.model = model
        self.upstream = upstream
        self.keys = keys

    async def ask(
        self, question: str = "Hi", *, key: str = "a", headers: dict[str, str] | None = None, **fields: Any
    ) -> Answer:
        body = {**CHAT, "messages": [{"role": "user", "content": question}], **fields}
        return await self.gateway.post("/v1/chat/completions", body, self.bearer(key) | (headers or {}))

    def bearer(self, key: str) -> dict[str, str]:
        return {"Authorization": f"Bearer {self.keys[key]}"} if self.keys else {}

    async def usage(self, calls: int) -> dict[str, Any]:
        """All that was used, once so many calls are in the database."""
        async with asyncio.timeout(20):
            while True:
                answer = await self.gateway.get("/api/usage", self.bearer("admin"))
                found: dict[str, Any] = answer.json()["totals"]
                if found["calls"] >= calls:
                    return found
                await asyncio.sleep(0.05)


@asynccontextmanager
async def served(settings: Build, *, keys: bool = False, **sections: Any) -> AsyncIterator[House]:
    model = Model()
    script: Script = model
    async with Upstream(script) as upstream:
        where = {"provider": "openai", "preset": "vllm", "base_url": f"{upstream.url}/v1"}
        where["price"] = {"input": 1, "output": 3}  # type: ignore[assignment]
        built = settings({"m": [where]}, **{"cache": {"enabled": True}, "resilience": {}, **sections})
        made: dict[str, str] = {}
        if keys:
            identity = open_identity(built)
            for tenant in ("a", "b"):
                identity.registry.create_tenant(tenant)
                made[tenant] = str(identity.registry.create_key(name="k", tenant=tenant, role="caller")[1])
            made["admin"] = str(identity.registry.create_key(name="admin", tenant="a", role="admin")[1])
            identity.close()
        async with Gateway(built) as gateway:
            yield House(gateway, model, upstream, made)


def words(answer: Answer) -> str:
    """The text of an answer, whole or streamed."""
    assert answer.status == 200, answer
    if answer.headers["content-type"].startswith("application/json"):
        return str(answer.json()["choices"][0]["message"]["content"])
    events = [json.loads(line[6:]) for line in answer.body.decode().splitlines() if line.startswith("data: {")]
    return "".join(each["choices"][0]["delta"].get("content", "") for each in events if each["choices"])


@pytest.mark.parametrize("stream", [False, True])
async def test_thirty_questions_asked_ten_times_each(settings: Build, stream: bool) -> None:
    async with served(settings) as house:
        for _ in range(10):
            answers = [await house.ask(f"Question {number}", stream=stream) for number in range(30)]
            assert [words(each) for each in answers] == [f"answer {number}" for number in range(30)]
        assert house.model.answered == 30
        totals = await house.usage(300)
        assert (totals["calls"], totals["cached_calls"], totals["errors"]) == (300, 270, 0)
        assert (totals["nanousd"], totals["saved_nanousd"]) == (30 * CALL_NANOUSD, 270 * CALL_NANOUSD)
        assert float(totals["saved_usd"]) / (float(totals["usd"]) + float(totals["saved_usd"])) == pytest.approx(0.9)
        assert totals["prompt_tokens"] == 30 * 10
        process = await asyncio.create_subprocess_exec(
            *(sys.executable, "-m", "llmops", "usage", "--json"),
            cwd=house.gateway.log_dir.parent,
            env=environment(
                {
                    "LLMOPS_DATABASE_URL": f"sqlite:///{house.gateway.log_dir.parent / 'llmops.db'}",
                    "LOG_DIR": str(house.gateway.log_dir),
                }
            ),
            stdout=asyncio.subprocess.PIPE,
            stderr=asyncio.subprocess.PIPE,
        )
        out, said = await process.communicate()
        assert process.returncode == 0, said
        shown = json.loads(out)["totals"]
        assert (shown["cached_calls"], shown["saved_usd"]) == (270, totals["saved_usd"])


async def test_a_thousand_at_the_same_time_are_one_call_and_one_charge(settings: Build) -> None:
    # without resilience, which sheds: the clients are in this very process, and a thousand at once make it late
    async with served(settings, resilience={"enabled": False}) as house:
        house.model.gate.clear()
        asking = [asyncio.create_task(house.ask()) for _ in range(1000)]
        async with asyncio.timeout(30):
            while (await house.gateway.status())["in_flight"] < 1000:
                await asyncio.sleep(0.05)
        house.model.gate.set()
        answers = await asyncio.gather(*asking)
        assert {words(each) for each in answers} == {"answer 0"} and house.model.answered == 1
        told = [each.headers["x-llmops-cache"] for each in answers]
        assert (told.count("miss"), told.count("shared")) == (1, 999)
        lines = await house.gateway.records()
        assert [line["cost_nanousd"] for line in lines if line["cost_nanousd"]] == [CALL_NANOUSD]
        assert sum(line["saved_nanousd"] for line in lines) == 999 * CALL_NANOUSD
        assert (await house.gateway.status())["ledger"]["open"] == 0


async def test_two_tenants_never_share(settings: Build) -> None:
    async with served(settings, keys=True) as house:
        assert [words(await house.ask(key=key)) for key in ("a", "b", "a", "b")] == [
            "answer 0",
            "answer 1",
            "answer 0",
            "answer 1",
        ]
        house.model.gate.clear()
        asking = [asyncio.create_task(house.ask("Other", key="ab"[number % 2])) for number in range(20)]
        async with asyncio.timeout(10):
            while house.model.answered < 4:
                await asyncio.sleep(0.01)
        house.model.gate.set()
        got = [words(each) for each in await asyncio.gather(*asking)]
        assert len(set(got[::2])) == len(set(got[1::2])) == 1 and got[0] != got[1] and house.model.answered == 4
        assert (await house.ask("Third", key="a", headers={"x-llmops-tenant": "b"})).headers["x-llmops-cache"] == "miss"


async def test_what_the_response_and_the_log_say(settings: Build) -> None:
    async with served(settings) as house:
        miss, hit = await house.ask(), await house.ask()
        bypass = await house.ask(headers={"cache-control": "no-store"})
        assert (miss.headers["x-llmops-cache"], "age" in miss.headers) == ("miss", False)
        assert (hit.headers["x-llmops-cache"], hit.headers["age"]) == ("hit", "0")
        assert (bypass.headers["x-llmops-cache"], "age" in bypass.headers) == ("bypass", False)
        assert "x-llmops-deployment" not in hit.headers and miss.headers["x-request-id"] != hit.headers["x-request-id"]
        lines = [line for line in await house.gateway.records() if line["operation"] == "chat"]
        assert [
            (
                line["cache"],
                line["cached"],
                line["provider"],
                line["deployment"],
                line["attempts"],
                line["saved_nanousd"],
            )
            for line in lines
        ] == [
            ("miss", False, "openai", "m/0", 1, 0),
            ("hit", True, "cache", None, 0, CALL_NANOUSD),
            ("bypass", False, "openai", "m/0", 1, 0),
        ]


@pytest.mark.parametrize(
    ("headers", "status", "state", "calls"),
    [
        ({"cache-control": "no-cache"}, 200, "miss", 2),
        ({"cache-control": "max-age=0, no-cache"}, 200, "miss", 2),
        ({"cache-control": "No-Store"}, 200, "bypass", 2),
        ({"cache-control": "only-if-cached"}, 200, "hit", 1),
        ({"cache-control": "only-if-cached, no-cache"}, 504, None, 1),
        ({"cache-control": 'max-age="60", private, stale-if-error=5'}, 200, "hit", 1),
        ({"cache-control": ",,"}, 200, "hit", 1),
        ({"cache-control": "max-age"}, 400, None, 1),
        ({"cache-control": "max-age=-1"}, 400, None, 1),
        ({"cache-control": "max-age=1e3"}, 400, None, 1),
        ({"cache-control": "max-age=٣"}, 400, None, 1),
        ({"cache-control": "max-age=99999999999999999999"}, 400, None, 1),
        ({"x-llmops-cache-ttl": "60"}, 200, "hit", 1),
        ({"x-llmops-cache-ttl": "soon"}, 400, None, 1),
        ({"x-llmops-cache-ttl": ""}, 400, None, 1),
        ({"x-llmops-knowledge": "handbook@2024-11"}, 200, "miss", 2),
        ({"x-llmops-knowledge": "handbook"}, 400, None, 1),
        ({"x-llmops-knowledge": "a@b c"}, 400, None, 1),
    ],
)
async def test_headers(settings: Build, headers: dict[str, str], status: int, state: str | None, calls: int) -> None:
    async with served(settings) as house:
        await house.ask()
        # as the bytes that a client would send: a header is latin-1
        sent = {name: value.encode().decode("latin-1") for name, value in headers.items()}
        answer = await house.ask(headers=sent)
        assert (answer.status, answer.headers.get("x-llmops-cache"), house.model.answered) == (status, state, calls)
        if status == 400:
            (name,) = headers
            assert name in answer.json()["error"]["message"]


async def test_a_cut_stream_is_cut_for_its_caller_and_asked_for_again(settings: Build) -> None:
    async with served(settings) as house:
        house.model.breaks = True
        cut = await house.ask(stream=True)
        assert b"upstream_broken" in cut.body
        house.model.breaks = False
        answers = [await house.ask(stream=True) for _ in range(2)]
        assert [words(each) for each in answers] == ["answer 1", "answer 1"] and answers[0].body == answers[1].body


async def test_the_leader_hangs_up_and_the_follower_has_the_whole_answer(settings: Build) -> None:
    async with served(settings) as house:
        house.model.gate.clear()
        body = {**CHAT, "messages": [{"role": "user", "content": "Hi"}]}
        leader = await house.gateway.open("/v1/chat/completions", body)
        async with asyncio.timeout(10):
            while not house.model.answered:
                await asyncio.sleep(0.01)
            follower = asyncio.create_task(house.ask())
            while (await house.gateway.status())["in_flight"] < 2:
                await asyncio.sleep(0.01)
            leader.hang_up()
            while (await house.gateway.status())["in_flight"] > 1:
                await asyncio.sleep(0.01)
        house.model.gate.set()
        answer = await follower
        assert words(answer) == "answer 0" and house.upstream.hung_up == 0
        left, stayed = (await house.gateway.records())[:2]
        assert (left["status"], left["cost_nanousd"], left["attempts"]) == (499, 0, 0)
        assert (stayed["status"], stayed["cost_nanousd"], stayed["attempts"]) == (200, CALL_NANOUSD, 1)


@pytest.mark.parametrize(
    "body",
    [
        b'{"model":"m","messages":[{"role":"user","content":"\\ud800"}]}',
        b'{"model":"m","messages":[],"\\udc00":1}',
        b'{"model":"m","messages":[{"role":"user","content":"x"}],"seed":' + b"9" * 5000 + b"}",
        b'{"model":"m","messages":[{"role":"user","content":"x"}],"temperature":1e999}',
        b'{"model":"m","messages":[{"role":"user","content":"x"}],"seed":1,"seed":2}',
        b'{"model":"m","messages":[{"role":"user","content":"x"}],"user":"\\ud83d\\ude00","user":null}',
        b"\xef\xbb\xbf{}",
        b'{"model":"m"',
        b"[]",
    ],
)
async def test_bodies_that_are_no_good_are_no_defect_of_ours(settings: Build, body: bytes) -> None:
    async with served(settings) as house:
        for _ in range(2):
            assert (await house.gateway.post("/v1/chat/completions", body)).status in (200, 400)


async def test_hits_count_against_the_rates(settings: Build) -> None:
    limits = {"rules": [{"per": "tenant", "requests_per_minute": 3}]}
    async with served(settings, limits=limits) as house:
        assert [(await house.ask()).status for _ in range(4)] == [200, 200, 200, 429]
        assert house.model.answered == 1


async def test_switched_off_it_says_nothing(settings: Build) -> None:
    async with served(settings, cache={"enabled": False}) as house:
        answers = [await house.ask(headers={"cache-control": "no-cache"}) for _ in range(2)]
        assert house.model.answered == 2 and not any("x-llmops-cache" in each.headers for each in answers)
        assert {line["cache"] for line in await house.gateway.records()} == {None}
