"""Lists of last resorts: what of them cannot be used is found and named."""

from collections.abc import Mapping, Sequence
from itertools import pairwise

import pytest
from hypothesis import given
from hypothesis import strategies as st

from llmops.clock import SystemClock
from llmops.deployments import build_models
from llmops.errors import ConfigError
from llmops.providers.transport import Transport
from llmops.resilience.resort import loops
from tests.test_stack import MOCK, Build

NAMES = st.sampled_from("abcde")


def leads_back(leads_to: Mapping[str, Sequence[str]], start: str) -> bool:
    """Whether ``start`` can be reached from itself; the slow and plain way."""
    reached = set(leads_to.get(start, ()))
    while more := {far for near in reached for far in leads_to.get(near, ())} - reached:
        reached |= more
    return start in reached


@given(st.dictionaries(NAMES, st.lists(NAMES, max_size=3), max_size=5))
def test_a_loop_is_found_where_there_is_one(leads_to: dict[str, list[str]]) -> None:
    found = loops(leads_to)
    assert bool(found) == any(leads_back(leads_to, name) for name in leads_to)
    for loop in found:
        assert loop[0] == loop[-1] and all(far in leads_to[near] for near, far in pairwise(loop))


def test_a_long_chain_is_no_loop() -> None:
    assert loops({str(number): [str(number + 1)] for number in range(5000)}) == []


@pytest.mark.parametrize(
    ("resorts", "problem"),
    [
        ({"a": ["a"]}, "models.a.last_resorts: lead back to where they began: a -> a"),
        ({"a": ["b"], "b": ["a"]}, "models.a.last_resorts: lead back to where they began: a -> b -> a"),
        ({"a": ["b"], "b": ["c"], "c": ["b"]}, "models.b.last_resorts: lead back to where they began: b -> c -> b"),
        ({"a": ["other"]}, "models.a.last_resorts.0: the model 'other' does not exist here; configured: a, b"),
        ({"p-*": ["p-1"]}, "models.p-*.last_resorts: lead back to where they began: p-* -> p-*"),
        ({"a": ["p-1"], "p-*": ["b", "a"]}, "models.a.last_resorts: lead back to where they began: a -> p-* -> a"),
    ],
)
def test_lists_that_cannot_be_used(resorts: dict[str, list[str]], problem: str, settings: Build) -> None:
    models = {
        name: {"deployments": [MOCK], "last_resorts": [{"model": other} for other in resorts.get(name, [])]}
        for name in dict.fromkeys(["a", "b", *resorts])
    }
    with pytest.raises(ConfigError) as caught:
        build_models(settings(models), SystemClock(), Transport())
    (told,) = caught.value.problems
    assert problem.partition("configured:")[0] in told


def test_two_lists_may_lead_to_the_same(settings: Build) -> None:
    models = {
        "a": {"deployments": [MOCK], "last_resorts": [{"model": "b"}, {"model": "c"}]},
        "b": {"deployments": [MOCK], "last_resorts": [{"model": "c"}, "stale"]},
        "c": {"deployments": [MOCK], "last_resorts": [{"template": "Later."}]},
    }
    built = build_models(settings(models), SystemClock(), Transport())
    labels = {model.name: [resort.label for resort in model.last_resorts] for model in built}
    assert labels == {"a": ["model:b", "model:c"], "b": ["model:c", "stale"], "c": ["template"], "mock": []}
