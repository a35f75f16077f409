"""Two kinds of rows of OpenAI's: of evals (``input`` messages and ``ideal``), and of fine-tuning (``messages``).

Of a fine-tuning row the last message of the assistant is the reference, and everything before it the input. Not
covered: rows of preferences (two answers), which are no cases.
"""

from collections.abc import Iterable, Iterator, Mapping
from pathlib import Path
from typing import IO, Any

import msgspec

from ...case import Case
from ..lines import json_rows
from ..mapping import RowMapping
from ..report import Progress, Report, no_progress


def read(
    path: Path, report: Report, columns: Mapping[str, str] | None = None, progress: Progress = no_progress
) -> Iterator[Case]:
    mapping = RowMapping(report, columns)
    for where, row in json_rows(path, report, progress):
        if isinstance(row, dict):
            row = _plain(row, where, report)
        case = mapping.case(row, where) if row is not None else None
        if case is not None:
            yield case
        elif report.is_hopeless:
            break
    report.check()


def _plain(row: dict[str, Any], where: str, report: Report) -> dict[str, Any] | None:
    if "preferred_output" in row or "non_preferred_output" in row:
        report.problem(where, "compares two answers; a case has one reference")
        return None
    if "ideal" in row:
        return {**{name: value for name, value in row.items() if name != "ideal"}, "reference": row["ideal"]}
    messages = row.get("messages")
    if not isinstance(messages, list):
        return row
    if not messages or not all(isinstance(each, dict) and isinstance(each.get("role"), str) for each in messages):
        report.problem(where, f"messages {str(messages)[:80]!r}: must be a list of {{role, content}}")
        return None
    rest = {name: value for name, value in row.items() if name != "messages"}
    last = messages[-1]
    if last["role"] != "assistant":
        return {**rest, "input": messages}
    content = last.get("content")
    rest |= {f"reference_{name}": value for name, value in last.items() if name not in ("role", "content")}
    return {**rest, "input": messages[:-1], "reference": content}


def write_evals(cases: Iterable[Case], file: IO[bytes], report: Report) -> int:
    """``{"input": [messages], "ideal": …}``; returns how many."""
    count = 0
    for case in cases:
        count += 1
        row = {"input": _messages(case), "ideal": case.reference}
        _note_lost(case, report)
        file.write(msgspec.json.encode(row) + b"\n")
    return count


def write_chat(cases: Iterable[Case], file: IO[bytes], report: Report) -> int:
    """``{"messages": […, assistant]}`` for fine-tuning; what has no text as its reference is left out, and said."""
    count = 0
    for case in cases:
        reference = case.reference[0] if isinstance(case.reference, list) and case.reference else case.reference
        if not isinstance(reference, str):
            report.note("left out: its reference is no text", case.id)
            continue
        if reference is not case.reference:
            report.note("only the first of several references is kept", case.id)
        _note_lost(case, report)
        row = {"messages": [*_messages(case), {"role": "assistant", "content": reference}]}
        file.write(msgspec.json.encode(row) + b"\n")
        count += 1
    return count


def _messages(case: Case) -> list[Any]:
    if isinstance(case.input, list):
        return case.input
    text = case.input if isinstance(case.input, str) else msgspec.json.encode(case.input).decode()
    return [{"role": "user", "content": text}]


def _note_lost(case: Case, report: Report) -> None:
    lost = [name for name in ("metadata", "cluster", "split", "must_pass") if getattr(case, name)]
    if lost:
        report.note(f"this format has no place for {', '.join(lost)}")
    report.note("this format has no place for ids")
