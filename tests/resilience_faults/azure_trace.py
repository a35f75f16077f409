"""When calls come and how long they are: a published trace, or a shape like it where there is none.

The file is the Azure LLM inference trace of 2023: TIMESTAMP, ContextTokens, GeneratedTokens. The made one has bursts,
a long tail of prompts and answers around the same middle, and the same seed makes the same one.
"""

import csv
import random
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path

_COLUMNS = ("TIMESTAMP", "ContextTokens", "GeneratedTokens")
_MADE_ROWS = 20_000
_MADE_PER_S = 5.5
"""As the conversations of the trace."""


@dataclass(frozen=True)
class Row:
    """One call: seconds since the first one, tokens in and out."""

    at_s: float
    prompt: int
    output: int


def read_trace(path: Path) -> list[Row]:
    """All rows, by time; `ValueError` for a file that is none."""
    with path.open(newline="") as file:
        reader = csv.DictReader(file)
        if not {*_COLUMNS} <= {*(reader.fieldnames or ())}:
            raise ValueError(f"{path} has the columns {reader.fieldnames!r}; it needs {', '.join(_COLUMNS)}")
        found = [
            (_seconds(line["TIMESTAMP"]), int(line["ContextTokens"]), int(line["GeneratedTokens"])) for line in reader
        ]
    found.sort()
    return [Row(at_s - found[0][0], prompt, output) for at_s, prompt, output in found]


def make_trace(seed: int, rows: int = _MADE_ROWS) -> list[Row]:
    """A shape like the trace's: the rate doubles or halves every minute or so."""
    luck = random.Random(seed)
    made: list[Row] = []
    at_s, per_s, until_s = 0.0, _MADE_PER_S, 60.0
    while len(made) < rows:
        made.append(Row(at_s, int(luck.lognormvariate(6.6, 1.0)), int(luck.lognormvariate(5.0, 0.9))))
        at_s += luck.expovariate(per_s)
        if at_s > until_s:
            per_s, until_s = _MADE_PER_S * luck.choice((0.5, 1.0, 2.0)), at_s + luck.expovariate(1 / 60)
    return made


def repeated(rows: Sequence[Row], calls: int) -> Iterator[Row]:
    """So many calls: the rows again and again, each time after the time before."""
    length_s = rows[-1].at_s + rows[-1].at_s / len(rows)
    for number in range(calls):
        again, which = divmod(number, len(rows))
        row = rows[which]
        yield Row(row.at_s + again * length_s, row.prompt, row.output)


def _seconds(stamp: str) -> float:
    whole, _, fraction = stamp.partition(".")
    return datetime.fromisoformat(f"{whole}+00:00").timestamp() + float(f"0.{fraction or 0}")
