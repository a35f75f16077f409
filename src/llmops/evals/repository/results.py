"""The results of a run's cells in the database: figures only, one row a cell.

A cell's scores are one JSON object, ``{"exact": [1.0, true, null]}`` (value, passed, the error's code), so that two
runs are compared case by case with one join. Storing is idempotent: the journal may be stored again from its beginning
at any time.
"""

from collections.abc import Iterable, Iterator
from itertools import islice
from typing import Any, NamedTuple

import msgspec
from sqlalchemy import select
from sqlalchemy.dialects import postgresql, sqlite

from ...store.database import Database
from ...store.tables import eval_results
from ..result import Cell, Result
from .runs import SUBJECT

_BATCH = 2_000
"""Results in one transaction."""
_MEASURED = ("latency_ms", "ttft_ms", "tokens_in", "tokens_out", "cost_nanousd", "cached", "trace_id")
_COLUMNS = ("run_id", "case_id", "repeat", "error", "scores", *_MEASURED)
_KEY = ("run_id", "case_id", "repeat")
_Kept = dict[str, tuple[float | None, bool | None, str | None]]
_encode = msgspec.json.Encoder().encode
_decode = msgspec.json.Decoder(_Kept).decode


class StoredResult(msgspec.Struct, frozen=True, kw_only=True):
    case_id: str
    repeat: int
    error: str | None
    """The code of why there is no answer."""
    scores: _Kept
    """By name: value, passed, the error's code."""
    latency_ms: float | None = None
    ttft_ms: float | None = None
    tokens_in: int | None = None
    tokens_out: int | None = None
    cost_nanousd: int | None = None
    cached: bool = False
    trace_id: str | None = None


class Pair(NamedTuple):
    """One cell in two runs; None where one of them has none."""

    cell: Cell
    first: StoredResult | None
    second: StoredResult | None


class ResultRepository:
    """Methods block: call them from a thread. They raise `StoreUnavailable` when the database does not answer."""

    def __init__(self, database: Database) -> None:
        self._database = database
        insert = postgresql.insert if database.folder is None else sqlite.insert
        adding = insert(eval_results)
        new = {name: adding.excluded[name] for name in _COLUMNS if name not in _KEY}
        self._adding = adding.on_conflict_do_update(index_elements=list(_KEY), set_=new)

    def store(self, run_id: str, results: Iterable[Result]) -> int:
        """Store these, each cell once; returns how many."""
        count, source = 0, iter(results)
        while batch := {(each.case_id, each.repeat): each for each in islice(source, _BATCH)}:
            rows = [_row(run_id, each) for each in batch.values()]
            with self._database.write(SUBJECT) as connection:
                connection.execute(self._adding, rows)
            count += len(rows)
        return count

    def of(self, run_id: str) -> list[StoredResult]:
        """All results of a run, by case and repeat."""
        if not self._database.exists:
            return []
        columns = eval_results.c
        query = select(*[columns[name] for name in _COLUMNS[1:]]).where(columns.run_id == run_id)
        with self._database.read() as connection:
            rows = connection.execute(query.order_by(columns.case_id, columns.repeat))
            return [_result(row) for row in rows]

    def pairs(self, first: str, second: str) -> Iterator[Pair]:
        """Two runs case by case: every cell that either has."""
        before = {(each.case_id, each.repeat): each for each in self.of(first)}
        after = {(each.case_id, each.repeat): each for each in self.of(second)}
        for key in sorted(before.keys() | after.keys()):
            yield Pair(Cell(*key), before.get(key), after.get(key))


def _row(run_id: str, result: Result) -> dict[str, Any]:
    output = result.output
    scores = {
        each.name: (each.value, each.passed, each.error.code if each.error is not None else None)
        for each in result.scores
    }
    return {
        "run_id": run_id,
        "case_id": result.case_id,
        "repeat": result.repeat,
        "error": output.error.code if output.error is not None else None,
        "scores": _encode(scores).decode(),
        "latency_ms": output.latency_ms,
        "ttft_ms": output.ttft_ms,
        "tokens_in": output.tokens_in,
        "tokens_out": output.tokens_out,
        "cost_nanousd": output.cost_nanousd,
        "cached": output.cached,
        "trace_id": output.trace_id,
    }


def _result(row: Any) -> StoredResult:
    case_id, repeat, error, scores, *measured = row
    return StoredResult(
        case_id=case_id,
        repeat=repeat,
        error=error,
        scores=_decode(scores),
        **dict(zip(_MEASURED, measured, strict=True)),
    )
