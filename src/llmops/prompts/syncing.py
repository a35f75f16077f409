"""Files and the database kept in step: which of the two has changed since both were the same.

Three states are compared by the content's hash: the file's, the newest version's, and what both were when they were
last in step, which is kept beside the files (``.sync.json``, by tenant). What has changed on one side goes to the
other; what has changed on both is a conflict, shown and left alone until somebody says whose is right.
"""

from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Literal

import msgspec

from ..errors import ConfigError
from .prompt import Content

STATE_NAME = ".sync.json"
State = Literal[
    "in step", "new file", "file changed", "new version", "conflict", "file removed", "prompt removed", "new"
]


class Base(msgspec.Struct, frozen=True):
    """What a prompt was when both were the same."""

    digest: str
    number: int


class There(msgspec.Struct, frozen=True):
    """The newest version in the database."""

    content: Content
    digest: str
    number: int
    author: str


class Pair(msgspec.Struct, frozen=True):
    """One prompt on both sides."""

    name: str
    here: Content | None
    there: There | None
    base: Base | None

    @property
    def state(self) -> State:
        here, there = self.here.digest if self.here else None, self.there.digest if self.there else None
        base = self.base.digest if self.base else None
        if here == there:
            return "in step"
        if there is None:
            return "new file" if base is None else "prompt removed" if here == base else "conflict"
        if here is None:
            return "new" if base is None else "file removed" if there == base else "conflict"
        if there == base:
            return "file changed"
        return "new version" if here == base else "conflict"


class _Kept(msgspec.Struct):
    tenants: dict[str, dict[str, Base]] = {}


class SyncState:
    """What was in step, by tenant."""

    def __init__(self, folder: Path, tenant: str) -> None:
        self._path = folder / STATE_NAME
        self._tenant = tenant
        try:
            self._kept = msgspec.json.decode(self._path.read_bytes(), type=_Kept)
        except FileNotFoundError:
            self._kept = _Kept()
        except (OSError, msgspec.DecodeError) as exc:
            raise ConfigError([f"{self._path}: {exc}; remove it to compare anew"], source="the state") from exc

    @property
    def known(self) -> Mapping[str, Base]:
        return self._kept.tenants.get(self._tenant, {})

    def note(self, name: str, base: Base | None) -> None:
        """Remember that both sides are the same now; None: that neither has it."""
        mine = self._kept.tenants.setdefault(self._tenant, {})
        if base is None:
            mine.pop(name, None)
        else:
            mine[name] = base

    def save(self) -> None:
        self._path.parent.mkdir(parents=True, exist_ok=True)
        for tenant, known in self._kept.tenants.items():
            self._kept.tenants[tenant] = dict(sorted(known.items()))
        body = msgspec.json.format(msgspec.json.encode(self._kept), indent=1)
        swap = self._path.with_name(f"{STATE_NAME}.new")
        swap.write_bytes(body + b"\n")
        swap.replace(self._path)


def pairs(here: Mapping[str, Content], there: Mapping[str, There], base: Mapping[str, Base]) -> list[Pair]:
    names: Iterable[str] = sorted({*here, *there, *base})
    found = [Pair(name, here.get(name), there.get(name), base.get(name)) for name in names]
    return [each for each in found if each.here is not None or each.there is not None]
