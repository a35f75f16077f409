"""JSON Lines: a case a line, in our own fields or in anybody's. A file with one array is taken as well."""

from collections.abc import Iterable, Iterator, Mapping
from pathlib import Path
from typing import IO

import msgspec

from ....errors import ConfigError
from ...case import Case
from ..lines import json_rows, opened
from ..mapping import RowMapping
from ..report import Progress, Report, no_progress

_MAX_ARRAY_BYTES = 200_000_000


def read(
    path: Path, report: Report, columns: Mapping[str, str] | None = None, progress: Progress = no_progress
) -> Iterator[Case]:
    mapping = RowMapping(report, columns)
    rows = _array(path) if _is_array(path) else json_rows(path, report, progress)
    for where, row in rows:
        case = mapping.case(row, where)
        if case is not None:
            yield case
        elif report.is_hopeless:
            break
    report.check()


def write(cases: Iterable[Case], file: IO[bytes]) -> int:
    """One line a case, in our own fields; returns how many."""
    encode, count = msgspec.json.Encoder(order="sorted").encode, 0
    for case in cases:
        file.write(encode(case) + b"\n")
        count += 1
    return count


def _is_array(path: Path) -> bool:
    with opened(path) as file:
        return file.read(4096).removeprefix(b"\xef\xbb\xbf").lstrip()[:1] == b"["


def _array(path: Path) -> Iterator[tuple[str, object]]:
    if path.stat().st_size > _MAX_ARRAY_BYTES:
        raise ConfigError([f"one array of over {_MAX_ARRAY_BYTES:,} bytes; write a case a line"], source=str(path))
    try:
        rows = msgspec.json.decode(path.read_bytes().removeprefix(b"\xef\xbb\xbf"))
    except (msgspec.DecodeError, UnicodeError, RecursionError) as exc:
        raise ConfigError([f"is no JSON: {exc}"], source=str(path)) from exc
    return ((f"entry {number}", row) for number, row in enumerate(rows, 1))
