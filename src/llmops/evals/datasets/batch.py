"""The cases of a version to be, on their way into the database: checked, canonical, sorted by id, not all in memory.

Cases are written to an unnamed temporary file as they come; what stays in memory is each one's id, digest and place.
So a bad line at the end of a long file is found before anything is stored, and no lock is held while a slow source is
read.
"""

import hashlib
import tempfile
from collections.abc import Iterable, Iterator
from typing import NamedTuple

import msgspec

from ...errors import ConfigError
from ..case import Case

MAX_ID_CHARS = 256
_MOST_NAMED = 5
_encode = msgspec.json.Encoder(order="deterministic").encode


class Row(NamedTuple):
    """``body`` is the case's canonical JSON, as `Dataset.version` is made of it."""

    case_id: str
    digest: bytes
    body: bytes


class CaseBatch:
    """``version`` is what `Dataset.version` says of the same cases. Close it, or use ``with``."""

    def __init__(self, cases: Iterable[Case], *, source: str) -> None:
        """`ConfigError` for identifiers that are there twice or cannot be stored, and where there are no cases."""
        self._file = tempfile.TemporaryFile()
        self._places: dict[str, tuple[int, int, bytes]] = {}
        try:
            self._read(cases, source)
        except BaseException:
            self.close()
            raise

    def _read(self, cases: Iterable[Case], source: str) -> None:
        problems: list[str] = []
        bad, at = 0, 0
        for case in cases:
            problem = f"{case.id!r}: each id can be there once" if case.id in self._places else wrong_id(case.id)
            if problem is not None:
                bad += 1
                problems += [problem] if bad <= _MOST_NAMED else []
                continue
            body = _encode(case)
            self._file.write(body)
            self._places[case.id] = (at, len(body), digest_of(body))
            at += len(body)
        if bad > _MOST_NAMED:
            problems.append(f"{bad - _MOST_NAMED:,} more")
        if not self._places:
            problems.append("there are no cases")
        if problems:
            raise ConfigError(problems, source=source)
        self._ids = sorted(self._places)
        whole = hashlib.sha256()
        for row in self:
            whole.update(row.body)
            whole.update(b"\n")
        self.version = whole.hexdigest()[:16]

    def __len__(self) -> int:
        return len(self._places)

    def __iter__(self) -> Iterator[Row]:
        return (self.row(case_id) for case_id in self._ids)

    @property
    def ids(self) -> list[str]:
        """Sorted by their characters."""
        return self._ids

    def digest(self, case_id: str) -> bytes | None:
        place = self._places.get(case_id)
        return place[2] if place is not None else None

    def row(self, case_id: str) -> Row:
        at, length, digest = self._places[case_id]
        self._file.seek(at)
        return Row(case_id, digest, self._file.read(length))

    def close(self) -> None:
        self._file.close()

    def __enter__(self) -> "CaseBatch":
        return self

    def __exit__(self, *_error: object) -> None:
        self.close()


def digest_of(body: bytes) -> bytes:
    return hashlib.sha256(body).digest()[:16]


def wrong_id(case_id: str) -> str | None:
    """What is wrong with an id; None: nothing."""
    if not case_id or len(case_id) > MAX_ID_CHARS:
        return f"id {case_id[:40]!r}: {len(case_id)} characters; 1 to {MAX_ID_CHARS} are right"
    if "\0" in case_id or any("\ud800" <= char <= "\udfff" for char in case_id):
        return f"id {case_id[:40]!r}: holds what no database stores: NUL, or half a character"
    return None
