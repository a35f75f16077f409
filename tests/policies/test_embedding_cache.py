"""Of an embeddings call only the inputs that are not known go upstream."""

import json
from collections.abc import Callable
from typing import Any

from llmops.app import Stack
from llmops.settings import Settings
from llmops.types import Reply

Build = Callable[..., Settings]
PRICE = {"input": 1_000_000, "output": 0}  # a dollar a token


def stack_of(settings: Build, **cache: Any) -> Stack:
    mock = {"provider": "mock", "price": PRICE}
    return Stack(settings(cache={"enabled": True, **cache}, models={"e": [mock]}))


async def embed(stack: Stack, *texts: str, **more: Any) -> Reply:
    return await stack.call("embeddings", {"model": "e", "input": list(texts), "dimensions": 4, **more})


def vectors(reply: Reply) -> list[list[float]]:
    data = json.loads(reply.body)["data"]
    assert [each["index"] for each in data] == list(range(len(data)))
    return [each["embedding"] for each in data]


async def test_only_what_is_not_known_is_asked(settings: Build) -> None:
    async with stack_of(settings) as stack:
        first = await embed(stack, "red", "green")
        second = await embed(stack, "green", "blue", "red")
        third = await embed(stack, "blue", "green")
    assert [reply.cache.state if reply.cache else None for reply in (first, second, third)] == [
        "miss",
        "partial",
        "hit",
    ]
    red, green = vectors(first)
    assert vectors(second)[0] == green and vectors(second)[2] == red
    assert vectors(third) == [vectors(second)[1], green]
    assert second.outcome.usage.prompt == 1 and not second.cached
    assert third.cached


async def test_the_answer_is_what_it_would_be_without_a_cache(settings: Build) -> None:
    async with stack_of(settings) as stack, Stack(settings(models={"e": [{"provider": "mock"}]})) as plain:
        await embed(stack, "a", "b")
        for texts in (["b", "c", "a"], ["c", "c", "a"], ["z"]):
            for form in ("float", "base64"):
                mixed = await embed(stack, *texts, encoding_format=form)
                assert vectors(mixed) == vectors(await embed(plain, *texts, encoding_format=form))


async def test_hits_cost_nothing_and_say_what_they_saved(settings: Build) -> None:
    async with stack_of(settings) as stack:
        await embed(stack, "a" * 400, "b" * 400)
        await embed(stack, "b" * 400, "a" * 400)
        path = stack.parts.log.path
    asked, known = [json.loads(line) for line in path.read_text().splitlines()]
    assert asked["cost_nanousd"] > 0 and asked["saved_nanousd"] == 0
    assert (known["cost_nanousd"], known["saved_nanousd"]) == (0, asked["cost_nanousd"])
    assert (known["cache"], known["provider"]) == ("hit", "cache")


async def test_other_dimensions_are_other_vectors(settings: Build) -> None:
    async with stack_of(settings) as stack:
        await embed(stack, "a", "b")
        other = await embed(stack, "b", "a", dimensions=8)
    assert not other.cached and {len(each) for each in vectors(other)} == {8}
