"""How long answers are expected to be: the 95th percentile, never more than a quarter too high."""

from hypothesis import example, given
from hypothesis import strategies as st

from llmops.spend.output_lengths import OutputLengths

LENGTHS = st.lists(st.integers(0, 2_000_000), min_size=20, max_size=31)


def learnt(*tokens: int, assumed: int = 1000) -> OutputLengths:
    lengths = OutputLengths(assumed)
    for each in tokens:
        lengths.observe("m", each)
    return lengths


def test_until_a_model_is_known_its_answers_are_assumed() -> None:
    assert OutputLengths(700).estimate("never heard of") == 700
    assert learnt(*[3] * 19, assumed=700).estimate("m") == 700
    assert learnt(*[3] * 20, assumed=700).estimate("m") == 3
    assert learnt(*[3] * 20, assumed=700).estimate("other") == 700


@given(LENGTHS)
@example([0] * 20)
@example([7] * 10 + [8] * 10)
def test_ninety_five_of_a_hundred_are_not_longer(found: list[int]) -> None:
    first = sorted(found[:20])  # what it has seen when it works the estimate out
    percentile = first[18]
    estimate = learnt(*found).estimate("m")
    assert percentile <= estimate <= max(percentile * 5 / 4, percentile)


def test_it_follows_a_model_that_becomes_more_talkative() -> None:
    lengths = learnt(*[10] * 5000)
    assert lengths.estimate("m") <= 12
    for _ in range(5000):
        lengths.observe("m", 1000)
    assert 1000 <= lengths.estimate("m") <= 1250


def test_and_one_that_becomes_terse() -> None:
    lengths = learnt(*[1000] * 5000)
    for _ in range(20_000):
        lengths.observe("m", 10)
    assert lengths.estimate("m") <= 12


def test_absurd_lengths_do_no_harm() -> None:
    lengths = learnt(*[-5] * 10, *[10**18] * 10)
    assert 0 <= lengths.estimate("m") < 2**40
