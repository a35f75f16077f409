"""Windows: their pieces add up to them exactly, and are few."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from llmops.errors import InvalidRequest
from llmops.telemetry.rollups.window import Piece, Window, duration_of, moment_of, pieces, steps, window_of

DAY, HOUR, MINUTE = 86_400, 3600, 60
minutes = st.integers(0, 60 * 24 * 40).map(lambda number: number * MINUTE)


def covered(found: list[Piece], folded: int, until: int) -> list[int]:
    """How often each minute counts, when rollups of hours and days hold the minutes before ``folded``."""
    times = [0] * (until // MINUTE)
    for period_s, first, last, sign in found:
        assert first % period_s == last % period_s == 0 or last == folded, "rollups are read whole"
        starts = range(first // period_s * period_s, last, period_s)
        for at in (minute for start in starts for minute in range(start, start + period_s, MINUTE)):
            if at // MINUTE < len(times) and (period_s == MINUTE or at < folded):
                times[at // MINUTE] += sign
    return times


@given(minutes, minutes, st.integers(0, 24 * 41).map(lambda number: number * HOUR))
def test_pieces_cover_every_minute_of_a_window_once_and_no_other(one: int, other: int, folded: int) -> None:
    window = Window(min(one, other), max(one, other))
    until = window.last + 3 * DAY
    found = covered(pieces(window, folded), folded, until)
    assert found == [window.first <= at < window.last for at in range(0, until, MINUTE)]


@given(minutes, minutes)
def test_a_window_takes_few_rollups_however_long_it_is(one: int, other: int) -> None:
    first, last = min(one, other), max(one, other)
    found = pieces(Window(first, last), folded=last + 3 * DAY)
    days = (last - first) // DAY + 2
    assert sum((piece.last - piece.first) // piece.period_s for piece in found) <= days + 2 * (7 + 2 + 12)


@given(
    minutes,
    minutes,
    st.integers(0, 24 * 41).map(lambda number: number * HOUR),
    st.sampled_from([1, 2, 5, 7, 10, 15, 30, 45, 60, 120, 300, 720, 1080, 1440, 10_080]),
)
def test_steps_cover_every_minute_once_and_keep_to_their_own_step(
    one: int, other: int, folded: int, step_minutes: int
) -> None:
    window, step_s = Window(min(one, other), max(one, other)), step_minutes * MINUTE
    until = window.last + 8 * DAY
    found = steps(window, step_s, folded)
    assert covered(found, folded, until) == [window.first <= at < window.last for at in range(0, until, MINUTE)]
    assert all(step_s % piece.period_s == 0 for piece in found)


@pytest.mark.parametrize(
    ("text", "moment"),
    [
        ("now", 1_000_000),
        ("now-1h", 996_400),
        ("-2m", 999_880),
        ("-9999w", 0),
        ("1234567", 1_234_567),
        ("1970-01-02", DAY),
        ("1970-01-02T00:00:00Z", DAY),
        ("1970-01-02T01:00:00+01:00", DAY),
    ],
)
def test_moments(text: str, moment: int) -> None:
    assert moment_of(text, 1_000_000.7, "from") == moment


@pytest.mark.parametrize("text", ["", "yesterday", "9" * 20, "-1", "2026-13-01", "now-1y", "٣", "1e9", "²"])
def test_what_is_no_moment_is_refused(text: str) -> None:
    with pytest.raises(InvalidRequest, match="is no time"):
        moment_of(text, 0.0, "from")


def test_durations() -> None:
    assert [duration_of(text, "step") for text in ("90", "90s", "5m", "1h", "7d")] == [90, 90, 300, 3600, 604_800]
    for text in ("", "0m", "-5m", "1.5h", "soon", "²m"):
        with pytest.raises(InvalidRequest, match="is no duration"):
            duration_of(text, "step")


def test_a_window_ends_after_it_begins() -> None:
    assert window_of("now-1h", "now", 7200.0) == Window(3600, 7200) and Window(3600, 7200).before == Window(0, 3600)
    assert window_of("now-1h", "now", 7200.1) == Window(3600, 7201), "what was called just now is part of it"
    with pytest.raises(InvalidRequest, match="before it begins"):
        window_of("now", "now-1h", 7200.0)
