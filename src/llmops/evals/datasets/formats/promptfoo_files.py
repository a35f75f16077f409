"""Prompts and tests of a promptfoo configuration that stand in files of their own, beside it or below."""

import csv
import io
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import msgspec

from .. import yaml_file
from ..lines import json_rows
from ..report import Report

_SCHEME = "file://"
_CODE = (".py", ".js", ".ts", ".mjs", ".cjs")
_MAX_BYTES = 50_000_000


def prompt_texts(said: Any, config: Path, report: Report) -> Iterator[tuple[str, str]]:
    """Label and text of each prompt."""
    for number, each in enumerate(said if isinstance(said, list) else [said], 1):
        label, text = f"prompt {number}", each
        if isinstance(each, dict):
            text = each.get("raw", each.get("id"))
            label = str(each.get("label") or each.get("id") or label)
        where = f"prompts, entry {number}"
        if not isinstance(text, str):
            report.problem(where, f"{str(each)[:80]!r}: must be a text, or an object with raw or id")
        elif text.startswith(_SCHEME) or (text.endswith((".txt", ".json", ".md")) and len(text) < 200):
            file = _inside(text, config, where, report)
            if file is not None:
                yield (file.name if label.startswith(("prompt ", _SCHEME)) else label), file.read_text("utf-8-sig")
        else:
            yield label, text


def tests_of(said: Any, config: Path, report: Report) -> Iterator[tuple[str, dict[str, Any]]]:
    """Where each test stands, and what it says."""
    for number, each in enumerate(said if isinstance(said, list) else [said], 1):
        where = f"tests, entry {number}"
        if isinstance(each, dict):
            yield where, each
        elif isinstance(each, str):
            file = _inside(each, config, where, report)
            if file is not None:
                yield from _tests_in(file, report)
        else:
            report.problem(where, f"{str(each)[:80]!r}: must be an object or a file")


def _inside(text: str, config: Path, where: str, report: Report) -> Path | None:
    """The file, if it may be read."""
    folder = config.parent.resolve()
    file = (folder / text.removeprefix(_SCHEME)).resolve()
    if not file.is_relative_to(folder):
        report.problem(where, f"{text[:120]!r}: lies outside the configuration's folder, and is not read")
    elif file.suffix in _CODE:
        report.problem(where, f"{text[:120]!r}: is code, which is not run here")
    elif not file.is_file() or file.stat().st_size > _MAX_BYTES:
        report.problem(where, f"{text[:120]!r}: is no file, or over {_MAX_BYTES:,} bytes")
    else:
        return file
    return None


def _tests_in(file: Path, report: Report) -> Iterator[tuple[str, dict[str, Any]]]:
    if file.suffix == ".csv":
        for number, row in enumerate(csv.DictReader(io.StringIO(file.read_text("utf-8-sig")), strict=True), 2):
            yield f"{file.name}, line {number}", _csv_test(row, f"{file.name}, line {number}", report)
        return
    if file.suffix == ".jsonl":
        entries = list(json_rows(file, report))
    elif file.suffix == ".json":
        rows = msgspec.json.decode(file.read_bytes())
        entries = [(f"entry {number}", row) for number, row in enumerate(rows if isinstance(rows, list) else [rows], 1)]
    else:
        entries = [(each.where, each.value) for each in yaml_file.read(file).entries or []]
    for where, row in entries:
        if isinstance(row, dict):
            yield f"{file.name}, {where}", row
        else:
            report.problem(f"{file.name}, {where}", f"{str(row)[:80]!r}: must be an object")


def _csv_test(row: dict[str, Any], where: str, report: Report) -> dict[str, Any]:
    """Columns are variables; those whose names begin with ``__expected`` are assertions, ``type: value`` or a text."""
    asserts = []
    for name, cell in row.items():
        if not name.startswith("__expected") or not cell:
            if name.startswith("__") and not name.startswith("__expected") and cell and name != "__description":
                report.note(f"the column {name!r} is not carried over", where)
            continue
        kind, colon, value = cell.partition(":")
        known = colon and kind.replace("-", "").isalpha() and kind.islower()
        asserts.append({"type": kind, "value": value.strip()} if known else {"type": "equals", "value": cell})
    test: dict[str, Any] = {"vars": {name: cell for name, cell in row.items() if not name.startswith("__")}}
    return {
        **test,
        **({"assert": asserts} if asserts else {}),
        **({"description": row["__description"]} if row.get("__description") else {}),
    }
