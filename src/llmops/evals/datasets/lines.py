"""Reading text files line by line, with progress by bytes and a line's number for whoever has to mend it."""

from collections.abc import Iterator
from pathlib import Path
from typing import IO, Any

import msgspec

from ...errors import ConfigError
from .report import Progress, Report, no_progress

_TELL_EVERY = 1 << 20
MAX_LINE_BYTES = 64_000_000


def opened(path: Path) -> IO[bytes]:
    """`ConfigError` for what cannot be read."""
    try:
        return path.open("rb")
    except OSError as exc:
        raise ConfigError([f"cannot be read: {exc.strerror or exc}"], source=str(path)) from exc


def lines(path: Path, progress: Progress = no_progress) -> Iterator[tuple[int, bytes]]:
    """Number and content of every line that is not empty, without a byte order mark."""
    with opened(path) as file:
        size, read, told = path.stat().st_size, 0, 0
        for number, line in enumerate(iter(lambda: file.readline(MAX_LINE_BYTES), b""), 1):
            if len(line) == MAX_LINE_BYTES:
                raise ConfigError([f"line {number}: over {MAX_LINE_BYTES:,} bytes"], source=str(path))
            read += len(line)
            if read - told >= _TELL_EVERY:
                progress(read, size)
                told = read
            line = line.removeprefix(b"\xef\xbb\xbf") if number == 1 else line
            if line.strip():
                yield number, line
        progress(size, size)


def json_rows(path: Path, report: Report, progress: Progress = no_progress) -> Iterator[tuple[str, Any]]:
    """Where and what each line says; lines that are no JSON are problems."""
    decode = msgspec.json.Decoder().decode
    for number, line in lines(path, progress):
        try:
            yield f"line {number}", decode(line)
        except (msgspec.DecodeError, UnicodeError, RecursionError) as exc:
            shown = line[:60].decode(errors="replace").strip()
            report.problem(f"line {number}", f"{shown!r}: is no JSON: {exc}")
            if report.is_hopeless:
                report.check()
