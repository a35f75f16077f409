"""The robust score of an hour's spend: golden numbers, guards, and what it does not let itself be fooled by."""

from statistics import median

from hypothesis import given
from hypothesis import strategies as st

from llmops.monitoring.alerts.anomaly import modified_z, same_hours, score, since_first, usual

USD = 10**9


def test_the_formula_on_numbers_worked_by_hand() -> None:
    """Median 10, absolute deviations 2, 1, 0, 1, 40: their median is 1, so 20 has 0.6745 * 10 / 1."""
    ordinary = usual([8, 9, 10, 11, 50])
    assert (ordinary.median, ordinary.mad, ordinary.days) == (10, 1, 5)
    assert round(modified_z(20, ordinary), 4) == 6.745
    assert modified_z(3, ordinary) == 0


def test_one_expensive_day_does_not_hide_the_next() -> None:
    """The mean and deviation of the same days would call it 1.9 deviations."""
    ordinary = usual([USD, 1_100_000_000, 900_000_000, USD, 50 * USD, 1_050_000_000, 950_000_000])
    found = score(50 * USD, ordinary, min_days=5, min_nanousd=USD)
    assert found is not None and found > 100


def test_guards() -> None:
    same = usual([10 * USD] * 10)
    assert score(100 * USD, usual([USD] * 4), min_days=5, min_nanousd=0) is None, "too few days"
    assert score(10 * USD + 1, same, min_days=5, min_nanousd=0) == modified_z(10 * USD + 1, same) < 0.01
    assert score(12 * USD, same, min_days=5, min_nanousd=5 * USD) == 0, "too little money"
    assert score(20 * USD, same, min_days=5, min_nanousd=USD) == 10, "a tenth of the median is the least scale"


def test_idle_days_count_and_the_time_before_the_first_call_does_not() -> None:
    hours = same_hours(1000, 3)
    assert hours == [976, 952, 928]
    assert since_first({976: 5, 952: 7}, hours, 952) == [5, 7]
    assert since_first({928: 7}, hours, 928) == [0, 0, 7]
    assert since_first({}, hours, None) == []


@given(st.lists(st.integers(0, 10**12), min_size=5, max_size=30), st.integers(0, 10**12))
def test_it_grows_with_the_spend_and_is_never_negative(past: list[int], spent: int) -> None:
    ordinary = usual(past)
    assert 0 <= modified_z(spent, ordinary) <= modified_z(spent + USD, ordinary)
    if spent <= median(past):
        assert modified_z(spent, ordinary) == 0
