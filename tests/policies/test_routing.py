"""Routing: names and patterns to models, shares to deployments."""

import random
import time
from collections import Counter

import pytest
from hypothesis import given
from hypothesis import strategies as st

from llmops.errors import UnknownModel
from llmops.policies.routing import Model, ModelTable, routing
from llmops.types import Call, Deployment, Outcome, Reply

from .handlers import a_call


class Nowhere:
    """A provider that is never asked."""

    name = "nowhere"

    async def send(self, call: Call) -> Reply:
        raise AssertionError


def deployment(name: str, weight: float = 1.0) -> Deployment:
    return Deployment(name=name, provider=Nowhere(), model=None, weight=weight)


def model(name: str, *weights: float) -> Model:
    deployments = tuple(deployment(f"{name}/{number}", weight) for number, weight in enumerate(weights or (1.0,)))
    return Model(name=name, strategy="weighted" if weights else "ordered", deployments=deployments)


@pytest.mark.parametrize(
    ("asked", "found"),
    [
        ("gpt-4o", "gpt-4o"),
        ("gpt-4o-mini", "gpt-4o-*"),
        ("gpt-4o-", "gpt-4o-*"),
        ("gpt-5", "gpt-*"),
        ("claude-x", "*"),
        ("GPT-4O", "*"),
        ("gpt-4o-mini-2026", "gpt-4o-*-2026"),
        ("a*b", "*"),
        ("", "*"),
        ("gpt-4o\n", "gpt-*"),
    ],
)
def test_an_exact_name_wins_then_the_longest_pattern(asked: str, found: str) -> None:
    names = ["*", "gpt-*", "gpt-4o", "gpt-4o-*", "gpt-4o-*-2026"]
    assert ModelTable(map(model, names)).find(asked).name == found


def test_an_unknown_model_is_told_which_there_are() -> None:
    table = ModelTable([model("b"), model("a-*")])
    with pytest.raises(UnknownModel, match=r"'c' does not exist here; configured: a-\*, b") as caught:
        table.find("c")
    assert (caught.value.status, caught.value.param) == (404, "model")
    with pytest.raises(UnknownModel, match="configured: none"):
        ModelTable([]).find("x")
    with pytest.raises(UnknownModel) as caught:
        table.find("x" * 100_000)
    assert len(caught.value.message) < 250


def test_no_name_makes_a_pattern_slow() -> None:
    """Names come from clients: matching one may not backtrack without end."""
    table = ModelTable([model("*a" * 30 + "*b")])
    started = time.perf_counter()
    with pytest.raises(UnknownModel):
        table.find("a" * 100_000)
    assert time.perf_counter() - started < 1


@given(st.lists(st.floats(0.001, 1_000_000), min_size=1, max_size=8), st.floats(0, 1, exclude_max=True))
def test_any_luck_gives_the_deployment_whose_share_it_falls_in(weights: list[float], luck: float) -> None:
    found = model("m", *weights).choose(luck)
    number = int(found.name.rpartition("/")[2])
    total = sum(weights)
    assert sum(weights[:number]) / total <= luck + 1e-9 and luck - 1e-9 <= sum(weights[: number + 1]) / total


@pytest.mark.parametrize("weights", [(1.0, 1.0), (9.0, 1.0), (0.5, 0.25, 0.25)])
def test_shares_come_out_as_configured(weights: tuple[float, ...]) -> None:
    """On an even grid of luck, to one part in a thousand."""
    chosen = Counter(model("m", *weights).choose(step / 10_000).name for step in range(10_000))
    for number, weight in enumerate(weights):
        assert chosen[f"m/{number}"] / 10_000 == pytest.approx(weight / sum(weights), abs=0.001)


def test_ordered_is_the_first_whatever_the_luck() -> None:
    two = Model(name="m", strategy="ordered", deployments=(deployment("first"), deployment("second", 1e6)))
    assert {two.choose(luck).name for luck in (0.0, 0.5, 0.999)} == {"first"}


async def test_the_call_says_where_it_went() -> None:
    async def handle(call: Call) -> Reply:
        return Reply(outcome=Outcome())

    routed = routing(ModelTable([model("gpt-*", 1.0, 1.0)]), random.Random(1))(handle)
    went = Counter()
    for _ in range(100):
        call = a_call(model="gpt-x")
        await routed(call)
        assert (call.model, call.attempts) == ("gpt-*", 1) and call.deployment is not None
        went[call.deployment.name] += 1
    assert set(went) == {"gpt-*/0", "gpt-*/1"}
    again = a_call(model="gpt-x")
    await routed(again)
    await routed(again)
    assert again.attempts == 2
    with pytest.raises(UnknownModel):
        await routed(a_call(model="other"))
