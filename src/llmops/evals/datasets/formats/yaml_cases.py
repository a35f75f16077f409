"""YAML: a list of cases, or an object whose ``cases`` is one."""

from collections.abc import Iterable, Iterator, Mapping
from pathlib import Path
from typing import IO

import msgspec

from ....errors import ConfigError
from ...case import Case
from .. import yaml_file
from ..mapping import RowMapping
from ..report import Progress, Report, no_progress


def read(
    path: Path, report: Report, columns: Mapping[str, str] | None = None, progress: Progress = no_progress
) -> Iterator[Case]:
    whole = yaml_file.read(path)
    entries = (whole.get("cases") or whole).entries
    if entries is None:
        raise ConfigError([f"{whole.where}: must be a list of cases, or {{cases: [...]}}"], source=str(path))
    mapping = RowMapping(report, columns)
    for number, entry in enumerate(entries, 1):
        case = mapping.case(entry.value, entry.where)
        progress(number, len(entries))
        if case is not None:
            yield case
    report.check()


def write(cases: Iterable[Case], file: IO[bytes]) -> int:
    """A list, in our own fields; returns how many."""
    import yaml

    dumper = getattr(yaml, "CSafeDumper", yaml.SafeDumper)
    count = 0
    for case in cases:
        count += 1
        plain = msgspec.to_builtins(case, order="sorted")
        text = yaml.dump([plain], Dumper=dumper, allow_unicode=True, sort_keys=False, width=10_000)
        file.write(text.encode(errors="backslashreplace"))
    if not count:
        file.write(b"[]\n")
    return count
