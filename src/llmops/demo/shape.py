"""When visits come and how long prompts and answers are: the shape of a real hour, without its data.

Fitted to the conversations of the public Azure LLM inference trace of 2023 (19,366 calls): calls by the minute, and the
log-normals of its prompt and answer lengths. ``read_trace`` plays such a file itself. All is pure and seeded.
"""

import csv
import random
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import datetime
from itertools import accumulate
from math import exp
from pathlib import Path

PER_MINUTE = (
    191, 265, 329, 353, 307, 273, 268, 261, 322, 298, 301, 302, 345, 326, 283, 279, 280, 308, 343, 351,
    351, 343, 408, 396, 386, 398, 432, 480, 476, 453, 448, 507, 438, 413, 423, 418, 465, 311, 329, 316,
    333, 355, 319, 360, 334, 375, 330, 249, 221, 249, 265, 280, 256, 254, 242, 260, 246, 225, 210, 200,
)  # fmt: skip
"""Calls of each minute. The trace ends within its 59th; the last two carry its fall on."""
_PROMPT_MU, _PROMPT_SIGMA, _MOST_PROMPT = 6.63, 0.985, 8_000
_ANSWER_MU, _ANSWER_SIGMA, _MOST_ANSWER = 5.02, 0.859, 1_000
_COMPANION = 0.14
"""Share that brings another one along at once: a second's calls vary by 1.4 times as much as chance alone would."""
_COLUMNS = ("TIMESTAMP", "ContextTokens", "GeneratedTokens")


@dataclass(frozen=True)
class Arrival:
    """Something begins: seconds since the start, and how long its prompt and answer are in tokens."""

    at_s: float
    prompt_tokens: int
    answer_tokens: int


def intensity(at_s: float, length_s: float) -> float:
    """How busy it is, where 1 is the mean: the hour stretched over ``length_s``, and begun again after it."""
    place = (at_s / length_s) % 1.0 * len(PER_MINUTE)
    before = int(place)
    share = place - before
    first, second = PER_MINUTE[before], PER_MINUTE[(before + 1) % len(PER_MINUTE)]
    return (first + (second - first) * share) * len(PER_MINUTE) / sum(PER_MINUTE)


def arrivals(luck: random.Random, per_s: float, length_s: float) -> Iterator[Arrival]:
    """Without end: so many a second on average, and as uneven as the hour."""
    most = max(PER_MINUTE) * len(PER_MINUTE) / sum(PER_MINUTE)
    at_s = 0.0
    while True:
        at_s += luck.expovariate(per_s * most / (1 + _COMPANION))
        if luck.random() * most > intensity(at_s, length_s):
            continue
        yield _arrival(luck, at_s)
        if luck.random() < _COMPANION:
            yield _arrival(luck, at_s)


def _arrival(luck: random.Random, at_s: float) -> Arrival:
    return Arrival(at_s, prompt_tokens(luck), answer_tokens(luck))


def prompt_tokens(luck: random.Random, scale: float = 1.0) -> int:
    return _length(luck, _PROMPT_MU, _PROMPT_SIGMA, scale, _MOST_PROMPT)


def answer_tokens(luck: random.Random, scale: float = 1.0) -> int:
    return _length(luck, _ANSWER_MU, _ANSWER_SIGMA, scale, _MOST_ANSWER)


def _length(luck: random.Random, mu: float, sigma: float, scale: float, most: int) -> int:
    return max(8, min(int(scale * exp(luck.gauss(mu, sigma))), most))


def few_most(luck: random.Random, count: int) -> int:
    """A number below ``count``; the first ones are far more frequent (Zipf)."""
    weights = list(accumulate(1 / (number + 1) for number in range(count)))
    return luck.choices(range(count), cum_weights=weights)[0]


def read_trace(path: Path, per_s: float, length_s: float) -> Iterator[Arrival]:
    """A trace's own arrivals: of its first ``length_s``, or all of it pressed into that; again and again.

    Where it has more than ``per_s`` a second, evenly picked ones are left out. `ValueError` for a file that is none.
    """
    rows = _rows(path)
    if not rows:
        raise ValueError(f"{str(path)!r} holds no calls")
    end_s = rows[-1].at_s + 1.0
    squeeze = length_s / end_s
    share = min(1.0, per_s * length_s / len(rows))
    kept = [row for number, row in enumerate(rows) if int((number + 1) * share) > int(number * share)]
    return _again_and_again(kept, squeeze, length_s)


def _again_and_again(rows: list[Arrival], squeeze: float, length_s: float) -> Iterator[Arrival]:
    begin_s = 0.0
    while True:
        for row in rows:
            yield Arrival(begin_s + row.at_s * squeeze, row.prompt_tokens, row.answer_tokens)
        begin_s += length_s


def _rows(path: Path) -> list[Arrival]:
    with path.open(newline="") as file:
        reader = csv.DictReader(file)
        if not {*_COLUMNS} <= {*(reader.fieldnames or ())}:
            raise ValueError(f"{str(path)!r} has the columns {reader.fieldnames!r}; it needs {', '.join(_COLUMNS)}")
        read = sorted((_seconds(row["TIMESTAMP"]), row["ContextTokens"], row["GeneratedTokens"]) for row in reader)
    return [
        Arrival(at_s - read[0][0], min(int(prompt), _MOST_PROMPT), max(1, min(int(answer), _MOST_ANSWER)))
        for at_s, prompt, answer in read
    ]


def _seconds(stamp: str) -> float:
    """The trace writes seven digits after the point, which is one too many."""
    whole, _, fraction = stamp.partition(".")
    return datetime.fromisoformat(f"{whole}+00:00").timestamp() + float(f"0.{fraction or 0}")
