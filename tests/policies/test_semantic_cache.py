"""The semantic cache in the whole pipeline: what is served, what is not, and what it costs."""

import asyncio
import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from llmops.app import Stack, check
from llmops.caching.desk import show_cache
from llmops.clock import ManualClock
from llmops.errors import ConfigError
from llmops.settings import Settings
from llmops.types import CacheWish, Reply
from tests.caching.semantic.models import make_model
from tests.fakes.upstream import Upstream, Wire

Build = Callable[..., Settings]
MEANINGS = (
    "reset restore recover", "password passcode", "transfer send", "alice", "bob", "account", "my", "how", "do can",
    "i", "to", "the", "please", "forgot lost", "100", "1000", "get", "into", "and", "is", "what",
)  # fmt: skip
QUESTION, PARAPHRASE = "How do I reset my password?", "How can I please reset my password?"


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return make_model(tmp_path_factory.mktemp("model"), *MEANINGS)


@pytest.fixture
def semantic(settings: Build, folder: Path) -> Callable[..., Settings]:
    def build(deployments: dict[str, Any] | None = None, **values: Any) -> Settings:
        section = {"enabled": True, "local_model": str(folder), "threshold": 0.8, **values}
        return settings(deployments, cache={"enabled": True, "semantic": section})

    return build


async def ask(stack: Stack, text: str, wish: CacheWish | None = None, tenant: str = "default", **fields: Any) -> Reply:
    system = fields.pop("system", "Be brief.")
    messages = [{"role": "system", "content": system}, {"role": "user", "content": text}]
    call = stack._arrive("chat", json.dumps({"model": "mock", "messages": messages, **fields}).encode(), {})
    call.cache, call.tenant = wish, tenant
    reply = await stack.handler(call)
    if reply.stream is not None:
        reply.body = b"".join([events async for events in reply.stream])
    await settled(stack)
    return reply


async def settled(stack: Stack) -> None:
    assert stack.parts.cache.semantic is not None
    await stack.parts.cache.semantic.settle()


async def records(stack: Stack) -> list[dict[str, Any]]:
    await stack.parts.log.flush()
    return [json.loads(line) for line in (stack.settings.log.dir / "gateway.jsonl").read_text().splitlines()]


def counts(stack: Stack) -> dict[str, Any]:
    assert stack.parts.cache.semantic is not None
    return stack.parts.cache.semantic.view()


async def test_another_wording_is_answered_from_what_is_kept(semantic: Build) -> None:
    async with Stack(semantic()) as stack:
        first = await ask(stack, QUESTION)
        again = await ask(stack, PARAPHRASE)
        assert again.body == first.body and again.cached and again.cache is not None
        assert (again.cache.state, again.cache.verified) == ("semantic", "rules")
        assert again.cache.similarity is not None and 0.8 <= again.cache.similarity <= 1
        log = await records(stack)
        assert [line["cache"] for line in log][1] == "semantic" and log[1]["similarity"] == pytest.approx(
            again.cache.similarity, abs=1e-4
        )
        assert (log[1]["cost_nanousd"], log[1]["attempts"], log[1]["cached"]) == (0, 0, True)
        found = show_cache(stack.parts.cache)["semantic"]
        assert (found["hits"], found["misses"], found["learned"], found["questions"]) == (1, 0, 1, 1)


@pytest.mark.parametrize("stream", [False, True])
async def test_a_poisoned_neighbour_is_not_served(semantic: Build, stream: bool) -> None:
    async with Stack(semantic(threshold=0.5)) as stack:
        for text in (
            "transfer 100 to Alice",
            "transfer 1000 to Alice",
            "transfer 100 to Bob",
            "do not transfer 100 to Alice",
        ):
            reply = await ask(stack, text, stream=stream)
            assert not reply.cached, text
        assert (await ask(stack, "please transfer 100 to Alice", stream=stream)).cached
        refused = counts(stack)["refused"]
        assert refused["numbers differ"] and refused["names differ"] and refused["one is negated"]


async def test_streams_are_replayed_as_streams(semantic: Build) -> None:
    async with Stack(semantic()) as stack:
        first = await ask(stack, QUESTION, stream=True)
        again = await ask(stack, PARAPHRASE, stream=True)
        assert again.cached and again.body == first.body and again.body.endswith(b"data: [DONE]\n\n")
        assert not (await ask(stack, PARAPHRASE)).cached, "a whole answer is another matter"


async def test_what_is_never_shared(semantic: Build) -> None:
    async with Stack(semantic()) as stack:
        await ask(stack, QUESTION)
        for other in ({"tenant": "other"}, {"system": "Be long."}, {"max_tokens": 5}, {"temperature": 0.5}):
            assert not (await ask(stack, PARAPHRASE, **other)).cached, other  # type: ignore[arg-type]
        assert (await ask(stack, PARAPHRASE)).cached


async def test_the_callers_wishes_are_respected(semantic: Build) -> None:
    clock = ManualClock()
    async with Stack(semantic(), clock=clock) as stack:
        await ask(stack, QUESTION, CacheWish(reads=False, writes=False))
        assert counts(stack)["learned"] == 0
        await ask(stack, QUESTION, CacheWish(reads=False))
        clock.advance(10)
        for wish in (CacheWish(reads=False, writes=False), CacheWish(max_age_s=9)):
            assert not (await ask(stack, PARAPHRASE, wish)).cached
        assert (await ask(stack, "How can I reset my password please", CacheWish(max_age_s=10))).cached


async def test_answers_that_have_expired_or_are_gone(semantic: Build) -> None:
    clock = ManualClock()
    async with Stack(semantic(), clock=clock) as stack:
        await ask(stack, QUESTION)
        clock.advance(299)
        assert (await ask(stack, PARAPHRASE)).cached
        clock.advance(1)
        assert not (await ask(stack, PARAPHRASE)).cached
        await stack.parts.cache.answers.invalidate(_everything())
        clock.advance(10)
        assert not (await ask(stack, "How can I reset my password please")).cached
        assert counts(stack)["gone"] == 1


def _everything() -> Any:
    from llmops.store.answers.labels import Selector

    return Selector()


async def test_answers_that_are_not_for_others_are_not_learned(semantic: Build) -> None:
    async with Stack(semantic()) as stack:
        cut = await ask(stack, QUESTION, max_tokens=1)
        assert cut.outcome.finish_reason == "length" and counts(stack)["learned"] == 0


def _lexical(text: str) -> list[float]:
    """A vector by the letters of the text."""
    vector = [0.1] * 26
    for letter in text.casefold():
        if "a" <= letter <= "z":
            vector[ord(letter) - ord("a")] += 1.0
    return vector


class Models:
    """An upstream that embeds by letters, judges as it is told, and may be slow."""

    def __init__(self) -> None:
        self.verdict, self.delay_s, self.status = "Yes.", 0.0, 200

    async def __call__(self, wire: Wire) -> None:
        await asyncio.sleep(self.delay_s)
        asked = wire.request.json()
        if self.status != 200:
            await wire.answer(self.status, {"error": {"message": "broken"}})
        elif wire.request.path.endswith("/embeddings"):
            data = [{"object": "embedding", "index": 0, "embedding": _lexical(asked["input"][0])}]
            await wire.answer(200, {"object": "list", "data": data, "model": "e", "usage": {"prompt_tokens": 7}})
        else:
            choice = {"index": 0, "finish_reason": "stop", "message": {"role": "assistant", "content": self.verdict}}
            await wire.answer(
                200, {"id": "x", "choices": [choice], "usage": {"prompt_tokens": 9, "completion_tokens": 1}}
            )


def _upstream(upstream: Upstream) -> dict[str, Any]:
    where = {"provider": "openai", "base_url": f"{upstream.url}/v1", "api_key": "sk-x"}
    return (
        {"embedder": [{**where, "rates": None}], "judge": [where]} if False else {"embedder": [where], "judge": [where]}
    )


async def test_a_model_of_the_gateway_embeds_and_another_judges(semantic: Build) -> None:
    models = Models()
    async with Upstream(models) as upstream:
        config = semantic(
            _upstream(upstream), local_model=None, embeddings_model="embedder", judge_model="judge", threshold=0.7
        )
        async with Stack(config) as stack:
            await ask(stack, QUESTION, tenant="acme")
            again = await ask(stack, PARAPHRASE, tenant="acme")
            assert again.cached and again.cache is not None and again.cache.verified == "rules and judge"
            models.verdict = "no"
            assert not (await ask(stack, "Please, how can I reset my password?", tenant="acme")).cached
            assert counts(stack)["refused"] == {"judge": 1}
            log = await records(stack)
            own = [line for line in log if line["model"] in ("embedder", "judge")]
            assert {line["tenant"] for line in own} == {"acme"}
            assert [line["operation"] for line in own] == ["embeddings", "embeddings", "chat", "embeddings", "chat"]
            assert own[0]["token_usage"]["prompt"] == 7
            assert {line["trace_id"] for line in own} <= {line["trace_id"] for line in log if line["model"] == "mock"}
            assert len(upstream.requests) == 5


async def test_an_embedder_that_fails_or_is_slow_is_a_miss(semantic: Build) -> None:
    models = Models()
    async with Upstream(models) as upstream:
        config = semantic(
            _upstream(upstream), local_model=None, embeddings_model="embedder", threshold=0.7, timeout_seconds=0.2
        )
        async with Stack(config) as stack:
            await ask(stack, QUESTION)
            models.status = 500
            assert not (await ask(stack, PARAPHRASE)).cached
            models.status, models.delay_s = 200, 5.0
            assert not (await ask(stack, "Please, how can I reset my password?")).cached
            found = counts(stack)
            assert found["failed"] == 4 and found["misses"] == 2, "each could neither look up nor be learned"
            models.delay_s = 0.0
            assert (await ask(stack, "So how can I reset my password please?")).cached


def test_settings_that_cannot_be_used(semantic: Build, settings: Build, tmp_path: Path) -> None:
    missing = tmp_path / "nowhere"
    for config, message in (
        (lambda: semantic(local_model=str(missing)), "is no folder; it must hold a model2vec or sentence-transformers"),
        (lambda: semantic(local_model=str(tmp_path)), "holds no config.json"),
        (
            lambda: semantic(local_model=None, embeddings_model="none"),
            "embeddings_model: the model 'none' does not exist",
        ),
        (lambda: semantic(judge_model="none"), "judge_model: the model 'none' does not exist"),
    ):
        for use in (check, Stack):
            with pytest.raises(ConfigError, match=rf"cache\.semantic\..*{message}"):
                use(config())
    with pytest.raises(ConfigError, match=r"cache\.semantic\.enabled: true, and cache\.enabled: false"):
        check(settings(cache={"semantic": {"enabled": True, "embeddings_model": "mock"}}))
    for values in ({"local_model": None}, {"embeddings_model": "mock"}):
        with pytest.raises(ValueError, match=r"say either embeddings_model .* or local_model"):
            semantic(**values)


def test_a_damaged_model_is_said_at_the_start(semantic: Build, folder: Path, tmp_path: Path) -> None:
    damaged = tmp_path / "damaged"
    damaged.mkdir()
    for file in folder.iterdir():
        (damaged / file.name).write_bytes(
            file.read_bytes()[:100] if file.suffix == ".safetensors" else file.read_bytes()
        )
    with pytest.raises(ConfigError, match=r"cache\.semantic\.local_model: .*damaged' cannot be loaded"):
        Stack(semantic(local_model=str(damaged)))


async def test_a_reload_keeps_what_is_known_unless_the_model_is_another(
    semantic: Build, folder: Path, tmp_path: Path
) -> None:
    other = make_model(tmp_path / "other", *MEANINGS)
    async with Stack(semantic()) as stack:
        await ask(stack, QUESTION)
        stack.reload(semantic(threshold=0.85))
        assert counts(stack)["questions"] == 1
        stack.reload(semantic(local_model=str(other)))
        assert counts(stack)["questions"] == 0
        with pytest.raises(ConfigError):
            stack.reload(semantic(local_model=str(tmp_path / "nowhere")))
        assert str(other) in counts(stack)["source"]


async def test_models_that_do_not_take_part(semantic: Build) -> None:
    async with Stack(semantic(models=["house-*"])) as stack:
        await ask(stack, QUESTION)
        assert not (await ask(stack, PARAPHRASE)).cached and counts(stack)["learned"] == 0
