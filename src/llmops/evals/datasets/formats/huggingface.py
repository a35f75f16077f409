"""A folder as the library ``datasets`` reads and writes it: a file a split, JSONL, CSV or Parquet, and
``dataset_info.json``.

Its columns have one type each, ours need not: a column whose values are not all texts is written as JSON, and
``dataset_info.json`` says which (``llmops.json_columns``), so that it comes back as it was. Parquet needs ``pyarrow``.
"""

import io
import re
from collections.abc import Callable, Iterable, Iterator, Mapping
from importlib import import_module
from pathlib import Path
from typing import Any

import msgspec

from ....errors import ConfigError
from ...case import Case, Split
from ..lines import json_rows
from ..mapping import FIELDS, RowMapping
from ..report import Progress, Report, no_progress
from . import comma_separated

INFO = "dataset_info.json"
_FILE = re.compile(r"(?P<split>[A-Za-z0-9_]+?)(-\d{5}-of-\d{5})?\.(?P<kind>jsonl|json|csv|parquet)")
_NAMES: dict[Split | None, str] = {"train": "train", "dev": "validation", "test": "test", None: "train"}
_ROWS_AT_ONCE = 2000


def read(
    path: Path, report: Report, columns: Mapping[str, str] | None = None, progress: Progress = no_progress
) -> Iterator[Case]:
    files = [(file, found) for file in _files(path) if file.name != INFO and (found := _FILE.fullmatch(file.name))]
    if not files:
        raise ConfigError(["has no files such as train.jsonl or data/train-00000-of-00001.parquet"], source=str(path))
    mapping, as_json = RowMapping(report, columns), _json_columns(path)
    for number, (file, found) in enumerate(files):
        for where, row in _rows(file, report):
            if isinstance(row, dict):
                row = _decoded(row, as_json, f"{file.name}, {where}", report)
                row.setdefault("split", found["split"])
            case = mapping.case(row, f"{file.name}, {where}")
            if case is not None:
                yield case
        progress(number + 1, len(files))
    report.check()


def _files(path: Path) -> list[Path]:
    if not path.is_dir():
        raise ConfigError(["is no folder"], source=str(path))
    return sorted(file for folder in (path, path / "data") if folder.is_dir() for file in folder.iterdir())


def _json_columns(path: Path) -> list[str]:
    try:
        info = msgspec.json.decode((path / INFO).read_bytes())
    except FileNotFoundError:
        return []
    except (OSError, msgspec.DecodeError) as exc:
        raise ConfigError([f"cannot be read: {exc}"], source=str(path / INFO)) from exc
    ours = info.get("llmops") if isinstance(info, dict) else None
    columns = ours.get("json_columns") if isinstance(ours, dict) else None
    return [str(each) for each in columns] if isinstance(columns, list) else []


def _decoded(row: dict[str, Any], columns: list[str], where: str, report: Report) -> dict[str, Any]:
    found = {name: value for name, value in row.items() if value is not None}
    for name in columns:
        if isinstance(found.get(name), str):
            try:
                found[name] = msgspec.json.decode(found[name])
            except (msgspec.DecodeError, UnicodeError) as exc:
                report.problem(where, f"{name} {found[name][:60]!r}: is no JSON: {exc}")
    return found


def _rows(file: Path, report: Report) -> Iterator[tuple[str, Any]]:
    if file.suffix == ".parquet":
        yield from _parquet_rows(file)
    elif file.suffix == ".csv":
        for case in comma_separated.read(file, report):
            yield case.id, msgspec.to_builtins(case)
    else:
        yield from json_rows(file, report)


def _parquet_rows(file: Path) -> Iterator[tuple[str, Any]]:
    parquet = _parquet(file)
    try:
        with parquet.ParquetFile(file) as opened:
            number = 0
            for batch in opened.iter_batches(batch_size=_ROWS_AT_ONCE):
                for row in batch.to_pylist():
                    number += 1
                    yield f"row {number}", _plain(row)
    except (OSError, ValueError) as exc:  # pyarrow's own errors are these
        raise ConfigError([f"is no Parquet: {exc}"], source=str(file)) from exc


def _parquet(file: Path) -> Any:
    try:
        return import_module("pyarrow.parquet")
    except ImportError as exc:
        raise ConfigError(["Parquet needs the package pyarrow: pip install pyarrow"], source=str(file)) from exc


def _plain(value: Any) -> Any:
    """Values that JSON has: times as texts, bytes as base64."""
    return msgspec.json.decode(msgspec.json.encode(value))


def write(cases: Callable[[], Iterable[Case]], folder: Path, report: Report, *, parquet: bool = False) -> int:
    """A new folder; ``cases`` is asked twice, for the columns' types and for the rows. Returns how many."""
    as_json = {"metadata"}
    for case in cases():
        as_json |= {name for name in ("input", "reference") if not isinstance(getattr(case, name), str | None)}
    folder.mkdir(parents=True, exist_ok=False)
    written: dict[str, int] = {}
    kind = "parquet" if parquet else "jsonl"
    names = sorted({_NAMES[case.split] for case in cases()})
    for case in cases():
        if case.split is None:
            report.note("has no split: stands in the file 'train', and has none when it comes back")
    for name in names:
        rows = (_row(case, as_json) for case in cases() if _NAMES[case.split] == name)
        file = folder / f"{name}.{kind}"
        written[name] = _write_parquet(rows, file) if parquet else _write_lines(rows, file)
    features = {name: {"dtype": "bool" if name == "must_pass" else "string", "_type": "Value"} for name in FIELDS}
    splits = {name: {"name": name, "num_examples": count} for name, count in written.items()}
    info = {"features": features, "splits": splits, "llmops": {"json_columns": sorted(as_json)}}
    (folder / INFO).write_bytes(msgspec.json.format(msgspec.json.encode(info), indent=2))
    return sum(written.values())


def _row(case: Case, as_json: set[str]) -> dict[str, Any]:
    encode = msgspec.json.Encoder(order="deterministic").encode
    row = {name: getattr(case, name) for name in FIELDS}
    row["split"] = case.split or ""
    return row | {name: encode(row[name]).decode() for name in as_json if row[name] is not None}


def _write_lines(rows: Iterable[dict[str, Any]], file: Path) -> int:
    count = 0
    with io.BufferedWriter(io.FileIO(file, "xb")) as out:
        for row in rows:
            out.write(msgspec.json.encode(row) + b"\n")
            count += 1
    return count


def _write_parquet(rows: Iterable[dict[str, Any]], file: Path) -> int:
    parquet = _parquet(file)
    pa: Any = import_module("pyarrow")  # it has no types

    schema = pa.schema([(name, pa.bool_() if name == "must_pass" else pa.string()) for name in FIELDS])
    count, waiting = 0, []
    with parquet.ParquetWriter(file, schema) as out:
        for row in rows:
            count += 1
            waiting.append(row)
            if len(waiting) == _ROWS_AT_ONCE:
                out.write_table(pa.Table.from_pylist(waiting, schema=schema))
                waiting = []
        if waiting:
            out.write_table(pa.Table.from_pylist(waiting, schema=schema))
    return count
