"""Recorded answers as the subject: what a system said some other day is judged again, at no cost.

A line of the file is ``{"id": …, "output": …}``: a text, or an `Output`'s fields. Several lines of one id are its
repeats, in this order.
"""

import hashlib
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import msgspec

from ...errors import ConfigError, NotFound
from ..case import Case
from ..output import Output


class ReplaySubject:
    def __init__(self, outputs: Mapping[str, list[Output]], *, version: str) -> None:
        self._outputs = outputs
        self._version = version

    @classmethod
    def read(cls, path: Path) -> "ReplaySubject":
        """`ConfigError` names the line that is of no use."""
        outputs: dict[str, list[Output]] = {}
        try:
            data = path.read_bytes()
        except OSError as exc:
            raise ConfigError([exc.strerror or str(exc)], source=str(path)) from exc
        for number, line in enumerate(data.splitlines(), 1):
            if not line.strip():
                continue
            try:
                found: Any = msgspec.json.decode(line, type=_Line)
                said = found.output
                output = Output(text=said) if isinstance(said, str) else msgspec.convert(said, Output)
            except msgspec.DecodeError as exc:
                raise ConfigError([f"line {number}: {exc}"], source=str(path)) from exc
            outputs.setdefault(found.id, []).append(output)
        return cls(outputs, version=hashlib.sha256(data).hexdigest()[:12])

    @property
    def versions(self) -> Mapping[str, str]:
        return {"replay": self._version}

    async def answer(self, case: Case, repeat: int) -> Output:
        recorded = self._outputs.get(case.id, [])
        if repeat >= len(recorded):
            raise NotFound(f"of case {case.id!r} {len(recorded)} answers are recorded; this is repeat {repeat}")
        return recorded[repeat]


class _Line(msgspec.Struct):
    id: str
    output: Any
