"""The texts of runs, read from their journals: what a case asked, what was answered, why it was judged so.

The database has figures only; texts stay in the folder that the run was made in. Where that folder is not on this
machine there are none, which is said and is no error. A journal counts only if it is of the very run that was stored:
same tenant, same dataset version.
"""

from collections.abc import Iterator
from pathlib import Path

import msgspec

from ..errors import ConfigError, NotFound
from .case import Case
from .journal import DEFAULT_FOLDER, Journal
from .result import Result
from .result_log import Answered, Scored
from .run import RunSpec

_decode_case = msgspec.json.Decoder(Case).decode
_decode_line = msgspec.json.Decoder(Answered | Scored).decode


class RunArchive:
    """Methods block: call them from a thread."""

    def __init__(self, folder: Path = DEFAULT_FOLDER) -> None:
        self.folder = folder

    def has(self, spec: RunSpec) -> bool:
        return self._path(spec) is not None

    def cases(self, spec: RunSpec) -> Iterator[Case]:
        """All cases that the run was begun with; none where the texts are elsewhere."""
        path = self._path(spec)
        if path is not None:
            for line in _lines(path / "cases.jsonl"):
                yield _decode_case(line)

    def case(self, spec: RunSpec, case_id: str) -> Case | None:
        """One of them; lines that do not name it are not decoded."""
        path, named = self._path(spec), msgspec.json.encode(case_id)
        if path is None:
            return None
        for line in _lines(path / "cases.jsonl"):
            if named in line and (case := _decode_case(line)).id == case_id:
                return case
        return None

    def results(self, spec: RunSpec, case_id: str) -> dict[int, Result]:
        """By repeat: what was answered to that case, and how it was judged."""
        path, named = self._path(spec), msgspec.json.encode(case_id)
        found: dict[int, Result] = {}
        if path is None:
            return found
        for raw in _lines(path / "results.jsonl"):
            if named not in raw:
                continue
            line = _decode_line(raw)
            if line.case_id != case_id:
                continue
            if isinstance(line, Answered):
                found[line.repeat] = Result(case_id=case_id, repeat=line.repeat, output=line.output)
            elif (answered := found.get(line.repeat)) is not None:
                found[line.repeat] = msgspec.structs.replace(answered, scores=line.scores, score_ms=line.score_ms)
        return found

    def _path(self, spec: RunSpec) -> Path | None:
        try:
            journal = Journal.read(self.folder, spec.run_id)
        except (NotFound, ConfigError):
            return None
        kept = journal.spec
        same = (kept.tenant, kept.dataset, kept.dataset_version) == (spec.tenant, spec.dataset, spec.dataset_version)
        return journal.path if same else None


def _lines(path: Path) -> Iterator[bytes]:
    """Whole ones; the last may be in the middle of being written."""
    try:
        with path.open("rb") as file:
            yield from (line for line in file if line.endswith(b"\n"))
    except OSError:
        return
