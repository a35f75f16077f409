"""The results of a run as lines of one file: what each cell's subject answered, then how that was judged.

Lines are appended, each in one write; a last line that was cut is no line, and is cut off before more is written. Who
may write, and what else belongs to a run, is the `Journal`'s affair.
"""

import os
from collections.abc import Iterator
from pathlib import Path

import msgspec

from ..errors import ConfigError, StoreUnavailable
from .output import Output
from .result import Result
from .score import Score

_BLOCK = 1 << 16


class Answered(msgspec.Struct, frozen=True, tag="output", tag_field="kind"):
    """A line: what a cell's subject answered."""

    case_id: str
    repeat: int
    output: Output


class Scored(msgspec.Struct, frozen=True, tag="scores", tag_field="kind"):
    """A line: how that was judged."""

    case_id: str
    repeat: int
    scores: tuple[Score, ...]
    score_ms: float | None = None


_decode = msgspec.json.Decoder(Answered | Scored).decode


class ResultLog:
    """Readable at any time; `open` it to write."""

    def __init__(self, path: Path) -> None:
        self._path = path
        self._encoder = msgspec.json.Encoder()
        self._buffer = bytearray()
        self._fd: int | None = None

    # --- writing ---

    def open(self) -> None:
        """`OSError` where that cannot be."""
        self._fd = os.open(self._path, os.O_WRONLY | os.O_APPEND | os.O_CREAT | os.O_CLOEXEC, 0o600)

    def mend(self) -> None:
        """Cut off a last line without its end."""
        if not self._path.exists():
            return
        with self._path.open("r+b") as file:
            end = size = file.seek(0, os.SEEK_END)
            while end > 0:
                start = max(end - _BLOCK, 0)
                file.seek(start)
                newline = file.read(end - start).rfind(b"\n")
                if newline >= 0:
                    end = start + newline + 1
                    break
                end = start
            if end < size:
                file.truncate(end)

    def append(self, line: Answered | Scored) -> None:
        """`StoreUnavailable` where it cannot be kept; then nothing of it is."""
        assert self._fd is not None, "the journal is open to be read only"
        buffer = self._buffer
        self._encoder.encode_into(line, buffer)
        buffer += b"\n"
        try:
            written = os.write(self._fd, buffer)
            if written != len(buffer):  # the disk is full: half a line is none
                os.ftruncate(self._fd, os.fstat(self._fd).st_size - written)
                raise OSError(28, "no space left on the device")
        except OSError as exc:
            raise StoreUnavailable(f"{self._path} cannot be written: {exc.strerror or exc}") from exc

    def forget_failures(self) -> int:
        """Drop the cells that have no answer, so that they are asked again; returns how many."""
        kept = self._path.with_name(self._path.name + ".new")
        dropped: set[tuple[str, int]] = set()
        with kept.open("wb") as file:
            for line in self.lines():
                cell = (line.case_id, line.repeat)
                if isinstance(line, Answered) and line.output.error is not None:
                    dropped.add(cell)
                elif cell not in dropped:
                    file.write(self._encoder.encode(line) + b"\n")
        self.close()
        kept.replace(self._path)
        self.open()
        return len(dropped)

    def close(self) -> None:
        if self._fd is not None:
            os.close(self._fd)
        self._fd = None

    # --- reading ---

    def cells(self) -> Iterator[Result]:
        """All cells: whole ones in the order in which they were judged, then those that are only answered."""
        waiting: dict[tuple[str, int], Output] = {}
        for line in self.lines():
            if isinstance(line, Answered):
                waiting[line.case_id, line.repeat] = line.output
                continue
            output = waiting.pop((line.case_id, line.repeat), None)
            if output is None:
                said = f"case {line.case_id!r}, repeat {line.repeat}: scores without an output"
                raise ConfigError([said], source=str(self._path))
            yield Result(
                case_id=line.case_id,
                repeat=line.repeat,
                output=output,
                scores=line.scores,
                score_ms=line.score_ms if line.score_ms is not None else 0.0,
            )
        for (case_id, repeat), output in waiting.items():
            yield Result(case_id=case_id, repeat=repeat, output=output)

    def lines(self) -> Iterator[Answered | Scored]:
        """`ConfigError` names a line that is none of the two kinds."""
        if not self._path.exists():
            return
        with self._path.open("rb") as file:
            for number, line in enumerate(file, 1):
                if not line.endswith(b"\n"):  # being written, or cut: the next to resume cuts it off
                    return
                try:
                    yield _decode(line)
                except ValueError as exc:
                    raise ConfigError([f"line {number}: {exc}"], source=str(self._path)) from exc
