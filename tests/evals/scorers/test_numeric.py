"""The number that an answer ends in."""

import json
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from llmops.evals.case import Case
from llmops.evals.output import Output
from llmops.evals.score import Score
from llmops.evals.scorer import judge
from llmops.evals.scorers.numeric import number_in
from llmops.evals.scorers.registry import build


@pytest.mark.parametrize(
    ("text", "number"),
    [
        ("#### 18", 18),
        ("16 - 3 - 4 = 9, times 2.\n#### 18\n", 18),
        ("She makes $18.", 18),
        ("**$1,234.5**", 1234.5),
        ("1,234,567", 1234567),
        ("It is -3.5 degrees", -3.5),
        ("\u22127", -7),
        ("-$5", -5),
        ("$-5", -5),
        ("from 3 to 5, so 5-3 = 2", 2),
        ("a range of 10-20", 20),
        ("The answer is 18. She has 3 left.", 18),
        ("Answer: $42", 42),
        ("so \\boxed{27} apples, of 30", 27),
        ("6.02e23", 6.02e23),
        ("1e-3", 0.001),
        ("50%", 50),
        (".5", 0.5),
        ("18.", 18),
        ("1,23", 23),
        ("It ends, in 1999.", 1999),
        ("no number, and no v2 or x1", None),
        ("", None),
        ("9" * 1_000_000, None),
        ("1," * 30_000 + "7", 7),
    ],
)
def test_the_final_number(text: str, number: float | None) -> None:
    assert number_in(text) == (pytest.approx(number) if number is not None else None)


def test_the_whole_text() -> None:
    assert number_in(" 1,000 ", whole=True) == 1000
    assert number_in("60 %", whole=True) == 60
    assert number_in("about 1000", whole=True) is None


@given(st.floats(allow_nan=False, allow_infinity=False, width=32))
def test_a_number_that_is_written_is_read(value: float) -> None:
    assert number_in(f"The result:\n#### {value!r}") == pytest.approx(value)


async def scored(said: str, reference: object, **settings: object) -> Score:
    case = Case(id="a", input="?", reference=reference)
    return (await judge(build("numeric", settings), case, Output(text=said)))[0]


async def test_tolerances() -> None:
    assert (await scored("#### 18", "He eats 3. #### 18")).value == 1
    assert (await scored("18.4", 18, tolerance=0.5)).value == 1
    assert (await scored("18.6", 18, tolerance=0.5)).value == 0
    assert (await scored("101", [5, 100], relative=0.01)).value == 1
    assert (await scored("none", 18)).value == 0


@pytest.mark.parametrize("reference", [None, "no number", True, {"answer": None}, float("inf")])
async def test_a_reference_without_a_number_is_an_error(reference: object) -> None:
    score = await scored("18", reference)
    assert score.error is not None and score.error.code == "no_reference"


def test_figures_of_recorded_answers() -> None:
    """Endings as models write them, and what is in them."""
    lines = (Path(__file__).parent / "endings.jsonl").read_text().splitlines()
    for line in lines:
        case = json.loads(line)
        assert number_in(case["text"]) == case["number"], case["text"]
