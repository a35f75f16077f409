"""From a row of any shape to a case: which of its fields are what, and nothing left behind.

Fields that are no part of a case become metadata under their own names. A row without an id gets one made of what it
says, so that the same row has the same id in the next version of its file, wherever it stands there.
"""

import hashlib
from collections.abc import Mapping
from typing import Any

import msgspec

from ...errors import InvalidRequest
from ..case import Case
from .report import Report

FIELDS = ("id", "input", "reference", "cluster", "split", "must_pass", "metadata")
_ALSO: dict[str, tuple[str, ...]] = {
    "input": ("question", "prompt", "query", "instruction", "messages"),
    "reference": ("expected", "expected_output", "answer", "ideal", "target", "completion", "output"),
    "cluster": ("group", "session", "conversation_id"),
}
_SPLITS = {"train": "train", "training": "train", "dev": "dev", "validation": "dev", "valid": "dev", "test": "test"}
_TRUTHS = {"true": True, "1": True, "yes": True, "false": False, "0": False, "no": False, "": False}


def columns_of(told: list[str]) -> dict[str, str]:
    """``["input=question"]`` as a mapping from a case's fields to the file's; `InvalidRequest` for other fields."""
    found: dict[str, str] = {}
    for each in told:
        field, equals, column = each.partition("=")
        if not equals or not column or field not in FIELDS:
            raise InvalidRequest(f"{each!r}: write FIELD=COLUMN, FIELD one of {', '.join(FIELDS)}", param="map")
        found[field] = column
    return found


class RowMapping:
    """Turns the rows of one file into cases. What is wrong with a row is a problem in the report, and no case."""

    def __init__(self, report: Report, columns: Mapping[str, str] | None = None) -> None:
        self._report = report
        self._told = dict(columns or {})
        self._seen: dict[str, int] = {}

    def case(self, row: Any, where: str) -> Case | None:
        if not isinstance(row, dict):
            self._report.problem(where, f'{_short(row)}: must be an object such as {{"input": …}}')
            return None
        left = {str(name): value for name, value in row.items()}
        found = {field: left.pop(column) for field in FIELDS if (column := self._column(field, left)) is not None}
        if "input" not in found:
            tell = f"has no {self._told.get('input', 'input')!r}; its fields are {_short(sorted(left))}"
            self._report.problem(where, f"{tell}; say which is the input")
            return None
        return self._made(found, left, where)

    def _column(self, field: str, row: Mapping[str, Any]) -> str | None:
        told = self._told.get(field)
        if told is not None:
            return told if told in row else None
        taken = set(self._told.values())
        return next((name for name in (field, *_ALSO.get(field, ())) if name in row and name not in taken), None)

    def _made(self, found: dict[str, Any], left: dict[str, Any], where: str) -> Case | None:
        metadata = found.get("metadata")
        if metadata is not None and not isinstance(metadata, dict):
            self._report.problem(where, f"metadata {_short(metadata)}: must be an object")
            return None
        cluster, split, must_pass = found.get("cluster"), found.get("split"), found.get("must_pass", False)
        if isinstance(split, str) and split:
            if split.lower() not in _SPLITS:
                left["split"] = split
                self._report.note(f"the split {split[:40]!r} is none of train, dev, test: kept in the metadata", where)
            split = _SPLITS.get(split.lower())
        if isinstance(must_pass, str | int) and str(must_pass).lower() in _TRUTHS:
            must_pass = _TRUTHS[str(must_pass).lower()]
        said = {
            "input": found["input"],
            "reference": found.get("reference"),
            "metadata": {**left, **(metadata or {})},
            "cluster": str(cluster) if isinstance(cluster, str | int) and cluster != "" else cluster or None,
            "split": split or None,
            "must_pass": must_pass if must_pass is not None else False,
        }
        case_id = found.get("id")
        if isinstance(case_id, int) and not isinstance(case_id, bool):
            case_id = str(case_id)
        try:
            said["id"] = case_id if case_id not in (None, "") else self._id_of(said)
            return msgspec.convert(said, Case)
        except (msgspec.ValidationError, TypeError, UnicodeError, RecursionError) as exc:
            self._report.problem(where, str(exc).replace("\n", " ")[:200])
            return None

    def _id_of(self, said: dict[str, Any]) -> str:
        """Of the content; what is there several times is numbered."""
        told = msgspec.json.encode([said["input"], said["reference"]], order="deterministic")
        made = hashlib.sha256(told).hexdigest()[:16]
        self._seen[made] = self._seen.get(made, 0) + 1
        return made if self._seen[made] == 1 else f"{made}-{self._seen[made]}"


def _short(value: Any) -> str:
    text = repr(value)
    return text if len(text) <= 120 else f"{text[:117]}…"
