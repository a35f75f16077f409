"""GSM8K's rows: ``question``, and an ``answer`` whose last line is ``#### 42``. The number is the reference.

The whole solution stays in the metadata. Commas in numbers go: models write them or not.
"""

import re
from collections.abc import Iterator, Mapping
from pathlib import Path

from ...case import Case
from ..lines import json_rows
from ..mapping import RowMapping
from ..report import Progress, Report, no_progress

_ANSWER = re.compile(r"####\s*(\S[^\n]*?)\s*$")


def read(
    path: Path, report: Report, columns: Mapping[str, str] | None = None, progress: Progress = no_progress
) -> Iterator[Case]:
    mapping = RowMapping(report, columns)
    for where, row in json_rows(path, report, progress):
        if not isinstance(row, dict) or not isinstance(row.get("answer"), str):
            report.problem(where, f"{str(row)[:80]!r}: must have a 'question' and an 'answer'")
            continue
        found = _ANSWER.search(row["answer"])
        if found is None:
            report.problem(where, f"answer {row['answer'][-60:]!r}: must end in a line such as '#### 42'")
            continue
        rest = {name: value for name, value in row.items() if name != "answer"}
        case = mapping.case({**rest, "reference": found[1].replace(",", ""), "solution": row["answer"]}, where)
        if case is not None:
            yield case
    report.check()
