"""Numbers on the page are short and true."""

from zoneinfo import ZoneInfo

import pytest

from llmops.viewing import figures
from llmops.viewing.change import change


@pytest.mark.parametrize(
    ("value", "shown"),
    [(None, "\N{EN DASH}"), (0, "0"), (1234, "1,234"), (12_345, "12.3k"), (4_560_000, "4.56M"), (0.5, "0.5")],
)
def test_counts(value: float | None, shown: str) -> None:
    assert figures.count(value) == shown


@pytest.mark.parametrize(
    ("value", "shown"),
    [
        (1.0, "100 %"),
        (0.0, "0 %"),
        (0.975, "97.5 %"),
        (0.99999, "99.999 %"),
        (0.9999999, "> 99.99 %"),
        (1e-9, "< 0.001 %"),
    ],
)
def test_a_share_is_whole_only_if_it_is(value: float, shown: str) -> None:
    assert figures.share(value) == shown


@pytest.mark.parametrize(
    ("value", "shown"),
    [(0.134, "134 µs"), (12.34, "12.3 ms"), (999.0, "999 ms"), (1234.0, "1.23 s"), (125_000.0, "2 min 5 s")],
)
def test_durations(value: float, shown: str) -> None:
    assert figures.milliseconds(value) == shown


@pytest.mark.parametrize(
    ("nanousd", "shown"),
    [(0, "$0"), (21_900, "$0.0000219"), (2_321_250, "$0.00232"), (12_340_000_000, "$12.34"), (1, "$0.000000001")],
)
def test_money_is_never_rounded_to_nothing(nanousd: int, shown: str) -> None:
    assert figures.money(nanousd) == shown


def test_exact_money_has_every_digit() -> None:
    assert figures.exact_money(2_321_250) == "$0.00232125"
    assert figures.exact_money(-1_500_000_001) == "\N{MINUS SIGN}$1.500000001"
    assert figures.exact_money(0) == "$0"


def test_moments_are_the_readers_own() -> None:
    zurich = ZoneInfo("Europe/Zurich")
    assert figures.moment(1_795_301_171, zurich, now_s=1_795_301_200) == "23:46:11"
    assert figures.moment(1_795_301_171, zurich, now_s=1_795_401_200) == "21 Nov 23:46:11"


def test_a_change_has_its_sign_and_its_mood() -> None:
    assert change(120, 100, "neither") == ("▲ 20%", "neutral")
    assert change(80, 100, "down") == ("▼ 20%", "good")
    assert change(0.97, 0.99, "up", in_points=True) == ("▼ 2 points", "bad")
    assert change(5, 0, "up") == ("new", "neutral") and change(None, 5, "up").text == ""
    assert change(100, 100, "up") == ("= same", "neutral")
    assert change(2500, 100, "down") == ("▲ 25-fold", "bad")
