"""What a refused caller and an operator are told of shedding."""

import random

from llmops.resilience.overload import Overload
from llmops.resilience.rules import OverloadRules
from llmops.resilience.shedder import Shedder


def test_a_refusal_says_why_and_when_to_come_again_and_is_counted() -> None:
    noted: list[tuple[str, str]] = []
    shedder = Shedder(
        Overload(OverloadRules(max_calls=10), 0.0),
        random.Random(1),
        lambda priority, sign: noted.append((priority, sign)),
    )
    assert shedder.refusal("normal", 7) is None and noted == []
    errors = [shedder.refusal("normal", 8) for _ in range(50)]
    assert {error.status for error in errors if error} == {503} and len(noted) == 50 and None not in errors
    assert {error.retry_after_s for error in errors if error} == {2, 3}
    assert errors[0] is not None and errors[0].message == (
        "as many calls are under way as the gateway takes at a time; "
        "calls of normal priority are turned away, try again later"
    )
    assert shedder.refusal("high", 8) is None and set(noted) == {("normal", "calls")}


def test_the_operator_hears_of_it_while_it_lasts_and_a_moment_longer() -> None:
    overload = Overload(OverloadRules(max_calls=10), 0.0)
    shedder = Shedder(overload, random.Random(1), lambda priority, sign: None)
    assert shedder.problems() == []
    shedder.refusal("low", 9)
    assert shedder.problems() == ["calls are turned away: as many calls are under way as the gateway takes at a time"]
    overload.sample(2.0, 0.0, 0)
    assert shedder.problems()
    overload.sample(4.0, 0.0, 0)
    assert shedder.problems() == []
