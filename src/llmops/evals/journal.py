"""A run on disk: ``<folder>/<run_id>/`` with ``spec.json``, ``cases.jsonl``, ``results.jsonl`` and ``state.json``.

The output of a cell is appended, in one write, the moment it is there and before any scorer sees it; its scores are
appended afterwards. So whatever ends the process, nothing that was paid for is lost: a cell with an output is never
asked again, and one without scores is only scored. A last line that was cut is cut off. One process at a time writes a
run: the file ``lock`` is locked as long as it lives.

Outputs are texts: the folder is as private as the dataset. Not covered: a power cut may take the last seconds.
"""

import fcntl
import os
import re
from collections.abc import Iterator
from pathlib import Path
from types import TracebackType
from typing import Any, Self

import msgspec

from ..errors import ConfigError, Conflict, NotFound, StoreUnavailable
from .case import Case
from .dataset import Dataset
from .output import Output
from .result import Cell, Result
from .result_log import Answered, ResultLog, Scored
from .run import RunSpec, RunState
from .score import Score

DEFAULT_FOLDER = Path("runs/evals")
_SPEC, _CASES, _RESULTS, _STATE, _LOCK = "spec.json", "cases.jsonl", "results.jsonl", "state.json", "lock"
_RUN_ID = re.compile(r"[A-Za-z0-9][A-Za-z0-9_.-]{0,99}")


class Ending(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True):
    """How far a run has come, and why it went no further."""

    state: RunState
    reason: str | None = None
    """Where it was interrupted: ``stopped``, ``budget``, ``failed``."""
    ended_at_ms: int | None = None


class Journal:
    """Made by `create`, `resume` or, to read it only, `read`."""

    def __init__(self, path: Path, spec: RunSpec) -> None:
        self.path = path
        self.spec = spec
        self._log = ResultLog(path / _RESULTS)
        self._lock: int | None = None

    # --- opening ---

    @classmethod
    def create(cls, folder: Path, spec: RunSpec, dataset: Dataset) -> Self:
        """Begin a run. `Conflict` where one of this id is there."""
        path = run_folder(folder, spec.run_id)
        try:
            path.mkdir(parents=True)
        except FileExistsError as exc:
            raise Conflict(f"the run {spec.run_id!r} is there already; resume it, or choose another id") from exc
        except OSError as exc:
            raise StoreUnavailable(f"{path}: {exc.strerror or exc}") from exc
        journal = cls(path, spec)
        journal._take()
        try:
            encode = msgspec.json.Encoder(order="deterministic").encode
            with (path / _CASES).open("wb") as file:
                file.writelines(encode(case) + b"\n" for case in dataset.cases)
            _replace(path / _SPEC, msgspec.json.format(encode(spec), indent=2) + b"\n")  # last: now it is a run
            journal._log.open()
        except OSError as exc:
            journal.close()
            raise StoreUnavailable(f"{path}: {exc.strerror or exc}") from exc
        return journal

    @classmethod
    def read(cls, folder: Path, run_id: str) -> Self:
        """A run that is there, to look at. `NotFound` where it is not."""
        path = run_folder(folder, run_id)
        try:
            spec = msgspec.json.decode((path / _SPEC).read_bytes(), type=RunSpec)
        except FileNotFoundError as exc:
            raise NotFound(f"there is no run {run_id!r} in {folder}; `llmops eval list` names those that are") from exc
        except (OSError, ValueError) as exc:
            raise ConfigError([str(exc)], source=str(path / _SPEC)) from exc
        return cls(path, spec)

    @classmethod
    def resume(cls, folder: Path, run_id: str) -> Self:
        """A run that is there, to go on with. `Conflict` while another process is at it."""
        journal = cls.read(folder, run_id)
        journal._take()
        try:
            journal._log.mend()
            journal._log.open()
        except OSError as exc:
            journal.close()
            raise StoreUnavailable(f"{journal.path}: {exc.strerror or exc}") from exc
        return journal

    def check(self, spec: RunSpec) -> None:
        """`ConfigError` where ``spec`` is of another run than this one: a figure would depend on when it was made."""
        kept = self.spec
        names = ("dataset_version", "subject", "scorers", "metrics", "repeats", "seed")
        problems = [
            f"{name}: {getattr(spec, name)!r}: the run was begun with {getattr(kept, name)!r}"
            for name in names
            if getattr(spec, name) != getattr(kept, name)
        ]
        if problems:
            raise ConfigError(problems, source=f"the run {kept.run_id!r}")

    def _take(self) -> None:
        self._lock = os.open(self.path / _LOCK, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
        try:
            fcntl.flock(self._lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except OSError as exc:
            os.close(self._lock)
            self._lock = None
            raise Conflict(f"another process is at the run {self.spec.run_id!r}; wait for it, or stop it") from exc

    # --- writing ---

    def answered(self, cell: Cell, output: Output) -> None:
        self._log.append(Answered(cell.case_id, cell.repeat, output))

    def scored(self, cell: Cell, scores: tuple[Score, ...], score_ms: float | None) -> None:
        self._log.append(Scored(cell.case_id, cell.repeat, scores, score_ms))

    def end(self, ending: Ending) -> None:
        _replace(self.path / _STATE, msgspec.json.encode(ending) + b"\n")

    def forget_failures(self) -> int:
        """Drop the cells that have no answer, so that they are asked again; returns how many."""
        return self._log.forget_failures()

    # --- reading ---

    def dataset(self) -> Dataset:
        """The cases that the run was begun with. `ConfigError` where they are not those any more."""
        path = self.path / _CASES
        try:
            cases = msgspec.json.Decoder(Case).decode_lines(path.read_bytes())
        except (OSError, ValueError) as exc:
            raise ConfigError([str(exc)], source=str(path)) from exc
        dataset = Dataset(self.spec.dataset, cases, source=str(path))
        if dataset.version != self.spec.dataset_version:
            said = f"version {dataset.version!r}: the run was begun with {self.spec.dataset_version!r}"
            raise ConfigError([said], source=str(path))
        return dataset

    def results(self) -> Iterator[Result]:
        """Whole cells, in the order in which they were judged."""
        return (found for found in self.cells() if found.score_ms is not None or found.scores)

    def cells(self) -> Iterator[Result]:
        """All cells: whole ones in the order in which they were judged, then those that are only answered."""
        return self._log.cells()

    def ending(self) -> Ending:
        """``interrupted`` also where it says nothing of an end and no process is at it."""
        try:
            found = msgspec.json.decode((self.path / _STATE).read_bytes(), type=Ending)
        except FileNotFoundError:
            found = Ending(state="running")
        except (OSError, ValueError) as exc:
            raise ConfigError([str(exc)], source=str(self.path / _STATE)) from exc
        if found.state == "running" and self._lock is None and not self._is_taken():
            return Ending(state="interrupted", reason="killed")
        return found

    def _is_taken(self) -> bool:
        try:
            lock = os.open(self.path / _LOCK, os.O_RDWR | os.O_CLOEXEC)
        except OSError:
            return False
        try:
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except OSError:
            return True
        finally:
            os.close(lock)
        return False

    def remove(self) -> None:
        """Delete the run's folder. `Conflict` while a process is at it."""
        import shutil

        if self._lock is None:
            self._take()
        shutil.rmtree(self.path)
        self.close()

    def close(self) -> None:
        self._log.close()
        if self._lock is not None:
            os.close(self._lock)
        self._lock = None

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, exc: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()


def run_folder(folder: Path, run_id: str) -> Path:
    """Where a run lies; `ConfigError` for an id that names no folder."""
    if not _RUN_ID.fullmatch(run_id):
        raise ConfigError(
            [f"{run_id!r}: 1 to 100 letters, digits or any of _ . -, a letter or digit first"], source="the run's id"
        )
    return folder / run_id


def journals(folder: Path) -> list[Journal]:
    """All runs in a folder, the newest first."""
    found = [Journal.read(folder, path.parent.name) for path in folder.glob(f"*/{_SPEC}")]
    return sorted(found, key=lambda each: (each.spec.started_at_ms, each.spec.run_id), reverse=True)


def _replace(path: Path, data: bytes) -> None:
    fresh: Any = path.with_name(path.name + ".new")
    with fresh.open("wb") as file:
        file.write(data)
        file.flush()
        os.fsync(file.fileno())
    fresh.replace(path)
