"""Embeddings and the list of models, by the SDKs."""

import math

import pytest
from anthropic import NotFoundError as AnthropicNotFound
from openai import BadRequestError, NotFoundError

from .conftest import MODEL, Road


async def test_embeddings(road: Road) -> None:
    """The SDK asks for base64 unless told otherwise, and unpacks it; both forms hold the same numbers."""
    if not road.offers_chat:
        with pytest.raises(BadRequestError, match="does not offer 'embeddings'"):
            await road.openai.embeddings.create(model=MODEL, input="a")
        return
    packed = await road.openai.embeddings.create(model=MODEL, input=["a", "b"], dimensions=64)
    plain = await road.openai.embeddings.create(model=MODEL, input=["a", "b"], dimensions=64, encoding_format="float")
    assert [item.index for item in packed.data] == [0, 1] and len(packed.data[0].embedding) == 64
    for one, other in zip(packed.data, plain.data, strict=True):
        assert one.embedding == pytest.approx(other.embedding, abs=1e-6)
        assert math.fsum(value * value for value in other.embedding) == pytest.approx(1)
    assert packed.data[0].embedding != packed.data[1].embedding and packed.usage.prompt_tokens > 0


async def test_an_embeddings_call_of_unreasonable_size_is_refused_by_the_mock(road: Road) -> None:
    if road.offers_chat:
        with pytest.raises(BadRequestError, match="1000000"):
            await road.openai.embeddings.create(model=MODEL, input=["a"] * 100, dimensions=100_000)


async def test_models_are_listed_and_found(road: Road) -> None:
    listed = [model.id async for model in road.openai.models.list()]
    assert listed == [MODEL] == [model.id async for model in road.anthropic.models.list()]
    assert (await road.openai.models.retrieve(MODEL)).id == MODEL
    assert (await road.anthropic.models.retrieve(MODEL)).display_name == MODEL
    with pytest.raises(NotFoundError, match=MODEL):
        await road.openai.models.retrieve("gone")
    with pytest.raises(AnthropicNotFound, match=MODEL):
        await road.anthropic.models.retrieve("gone")
