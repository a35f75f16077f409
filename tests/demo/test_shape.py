"""The shape of the traffic: seeded, as busy as asked, as uneven as the hour, with long tails."""

import random
import statistics
from collections import Counter
from itertools import takewhile
from pathlib import Path

import pytest

from llmops.demo.shape import PER_MINUTE, Arrival, arrivals, few_most, intensity, read_trace

HOUR_S = 3600.0


def an_hour(seed: int, per_s: float = 2.0) -> list[Arrival]:
    return list(takewhile(lambda each: each.at_s < HOUR_S, arrivals(random.Random(seed), per_s, HOUR_S)))


def test_the_same_seed_makes_the_same_hour() -> None:
    assert an_hour(3)[:200] == an_hour(3)[:200] != an_hour(4)[:200]


def test_it_is_as_busy_as_asked_and_as_uneven_as_the_hour() -> None:
    found = an_hour(1, 5.0)
    assert len(found) / HOUR_S == pytest.approx(5.0, rel=0.05)
    assert [each.at_s for each in found] == sorted(each.at_s for each in found)
    by_minute = Counter(int(each.at_s // 60) for each in found)
    busy, calm = sum(by_minute[minute] for minute in range(26, 36)), sum(by_minute[minute] for minute in range(48, 58))
    assert busy / calm == pytest.approx(sum(PER_MINUTE[26:36]) / sum(PER_MINUTE[48:58]), rel=0.15)


def test_lengths_have_the_traces_middle_and_tail() -> None:
    found = an_hour(1, 5.0)
    assert statistics.median(each.prompt_tokens for each in found) == pytest.approx(757, rel=0.1)
    assert statistics.median(each.answer_tokens for each in found) == pytest.approx(151, rel=0.1)
    assert max(each.prompt_tokens for each in found) > 5000 and max(each.answer_tokens for each in found) == 1000


@pytest.mark.parametrize("length_s", [HOUR_S, 120.0])
def test_the_hour_is_stretched_and_begins_again(length_s: float) -> None:
    steps = [intensity(length_s * step / 600, length_s) for step in range(600)]
    assert statistics.mean(steps) == pytest.approx(1.0, abs=0.01)
    assert intensity(length_s * 1.25, length_s) == pytest.approx(intensity(length_s * 0.25, length_s))


def test_few_make_most() -> None:
    luck = random.Random(1)
    found = Counter(few_most(luck, 10) for _ in range(2000))
    assert found[0] > 3 * found[5] and set(found) == set(range(10))


def test_a_real_trace_is_pressed_into_the_time_and_thinned(tmp_path: Path) -> None:
    file = tmp_path / "trace.csv"
    rows = [
        f"2023-11-16 18:{second // 60:02}:{second % 60:02}.5000000,{500 + second},{second}" for second in range(600)
    ]
    file.write_text("TIMESTAMP,ContextTokens,GeneratedTokens\n" + "\n".join(reversed(rows)))
    found = read_trace(file, per_s=1.0, length_s=300.0)
    first = list(takewhile(lambda each: each.at_s < 300, found))
    assert len(first) == pytest.approx(300, abs=2) and first[-1].at_s == pytest.approx(299.5, abs=1)
    assert first[0].prompt_tokens in (500, 501) and first[0].answer_tokens == 1
    assert next(found).at_s > 300, "and again"


@pytest.mark.parametrize("content", ["", "a,b\n1,2\n", "TIMESTAMP,ContextTokens,GeneratedTokens\n"])
def test_a_file_that_is_no_trace_is_refused(tmp_path: Path, content: str) -> None:
    file = tmp_path / "trace.csv"
    file.write_text(content)
    with pytest.raises(ValueError, match=r"trace\.csv"):
        read_trace(file, 1.0, 60.0)
