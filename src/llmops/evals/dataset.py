"""An immutable set of cases, known by the hash of its content."""

import hashlib
from collections import Counter
from collections.abc import Iterable, Mapping
from functools import cached_property

import msgspec

from ..errors import ConfigError
from .case import Case


class Dataset:
    """``version`` does not depend on the order of the cases, and changes with anything in them."""

    def __init__(self, name: str, cases: Iterable[Case], *, source: str | None = None) -> None:
        """`ConfigError` names identifiers that are there twice, and a dataset without cases."""
        self.name = name
        self.cases = tuple(cases)
        twice = sorted(name for name, times in Counter(case.id for case in self.cases).items() if times > 1)
        if twice:
            told = ", ".join(map(repr, twice[:5]))
            raise ConfigError([f"{told}: each id can be there once"], source=source or f"dataset {name!r}")
        if not self.cases:
            raise ConfigError(["there are no cases"], source=source or f"dataset {name!r}")

    @cached_property
    def version(self) -> str:
        """SHA-256 over the cases' canonical JSON, sorted by id: 16 hexadecimal digits of it."""
        digest = hashlib.sha256()
        for case in sorted(self.cases, key=lambda each: each.id):
            digest.update(msgspec.json.encode(case, order="deterministic"))
            digest.update(b"\n")
        return digest.hexdigest()[:16]

    @cached_property
    def by_id(self) -> Mapping[str, Case]:
        return {case.id: case for case in self.cases}

    def __len__(self) -> int:
        return len(self.cases)
