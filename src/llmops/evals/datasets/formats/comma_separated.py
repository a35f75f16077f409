"""CSV: a case a row, columns by their names. Long cells, quotes and line breaks inside them, a byte order mark.

A cell is a text. One that is an object, an array or a quoted string of JSON is what that says, where the field may hold
such things (input, reference, metadata). Numbers stay texts: "42" is what a model answers, not 42.
"""

import csv
import io
from collections.abc import Iterable, Iterator, Mapping
from pathlib import Path
from typing import IO, Any

import msgspec

from ....errors import ConfigError
from ...case import Case
from ..lines import opened
from ..mapping import FIELDS, RowMapping
from ..report import Progress, Report, no_progress

_MAX_CELL_CHARS = 64_000_000
_STARTS = ("{", "[", '"')
_TELL_EVERY = 1000


def read(
    path: Path, report: Report, columns: Mapping[str, str] | None = None, progress: Progress = no_progress
) -> Iterator[Case]:
    csv.field_size_limit(max(csv.field_size_limit(), _MAX_CELL_CHARS))  # the process's; it is only ever raised
    mapping = RowMapping(report, columns)
    with opened(path) as raw, io.TextIOWrapper(raw, encoding="utf-8-sig", newline="") as text:
        size = path.stat().st_size
        rows = csv.reader(text, strict=True)
        try:
            header = _header(next(rows, []), path)
            for count, row in enumerate(rows, 1):
                if count % _TELL_EVERY == 0:
                    progress(min(raw.tell(), size), size)
                case = _case(mapping, report, header, row, f"line {rows.line_num}") if row else None
                if case is not None:
                    yield case
                elif report.is_hopeless:
                    break
        except (csv.Error, UnicodeDecodeError) as exc:
            report.problem(f"line {rows.line_num}", f"is no CSV in UTF-8: {exc}")
    progress(size, size)
    report.check()


def write(cases: Iterable[Case], file: IO[bytes], report: Report) -> int:
    """One row a case; what no text is, is written as JSON. Returns how many."""
    text = io.TextIOWrapper(file, encoding="utf-8", newline="")
    rows = csv.writer(text, lineterminator="\n")
    rows.writerow(FIELDS)
    count = 0
    for case in cases:
        rows.writerow([_cell(case, field, report) for field in FIELDS])
        count += 1
    text.flush()
    text.detach()
    return count


def _header(names: list[str], path: Path) -> list[str]:
    twice = sorted({name for name in names if names.count(name) > 1})
    if not names or twice:
        said = f"the column {twice[0]!r} is there twice" if twice else "has no first line with the columns' names"
        raise ConfigError([said], source=str(path))
    return names


def _case(mapping: RowMapping, report: Report, header: list[str], row: list[str], where: str) -> Case | None:
    if len(row) != len(header):
        report.problem(where, f"{len(row)} cells; the first line names {len(header)} columns")
        return None
    found: dict[str, Any] = {}
    for name, cell in zip(header, row, strict=True):
        if cell != "":
            found[name] = _value(cell)
    return mapping.case(found, where)


def _value(cell: str) -> Any:
    if cell.lstrip()[:1] not in _STARTS:
        return cell
    try:
        return msgspec.json.decode(cell)
    except (msgspec.DecodeError, UnicodeError, RecursionError):
        return cell


def _cell(case: Case, field: str, report: Report) -> str:
    value = getattr(case, field)
    if value is None or (field == "metadata" and not value):
        return ""
    if isinstance(value, str):
        return value if _value(value) is value and value else msgspec.json.encode(value).decode()
    if isinstance(value, bool | int | float) and field != "must_pass":
        report.note(f"{field}: numbers and truth values come back from CSV as texts", case.id)
    return msgspec.json.encode(value, order="deterministic").decode()
