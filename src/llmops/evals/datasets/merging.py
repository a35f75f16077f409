"""New cases beside those that are there: the same id replaces, everything else stays."""

from collections.abc import Iterable, Iterator
from typing import Literal

from ...errors import NotFound
from ..case import Case
from .repository.reading import DatasetReader
from .version import Reference

Mode = Literal["replace", "merge"]


def merged(datasets: DatasetReader, tenant: str, name: str, cases: Iterable[Case], mode: Mode) -> Iterator[Case]:
    """``replace``: these alone. ``merge``: with those of ``latest`` that they do not replace, where there is one."""
    ids = set()
    for case in cases:
        ids.add(case.id)
        yield case
    if mode == "replace":
        return
    try:
        for case in datasets.cases(tenant, Reference(name)):
            if case.id not in ids:
                yield case
    except NotFound:
        return
