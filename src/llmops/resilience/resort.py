"""Last resorts: what a model answers with when none of its deployments does, in the order of its list.

A kept answer that is too old (`Stale`), the answer of another model (`OtherModel`), or a text of the operator's own
(`Template`). The list of the model that was asked for is the whole list: another model's own last resorts are not
followed, so that a call tries what stands in one place. Lists that lead in a circle are refused all the same: they
say that of two models each is there for when the other is not.
"""

from collections.abc import Callable, Mapping, Sequence
from typing import Protocol

import msgspec

from ..errors import UnknownModel


class Stale(msgspec.Struct, frozen=True):
    """A kept answer that is no longer given out otherwise."""

    @property
    def label(self) -> str:
        return "stale"


class OtherModel(msgspec.Struct, frozen=True):
    """Another configured model is asked the same."""

    name: str

    @property
    def label(self) -> str:
        return f"model:{self.name}"


class Template(msgspec.Struct, frozen=True):
    """A fixed text."""

    text: str

    @property
    def label(self) -> str:
        return "template"


Resort = Stale | OtherModel | Template
"""``label`` is what callers, the log and metrics call it."""


class Named(Protocol):
    @property
    def name(self) -> str: ...


def check(resorts: Mapping[str, Sequence[Resort]], find: Callable[[str], Named]) -> list[str]:
    """What is wrong with the lists of all models, by their configured names; ``find`` as `ModelTable.find`."""
    problems: list[str] = []
    leads_to: dict[str, list[str]] = {}
    for model, listed in resorts.items():
        leads_to[model] = []
        for number, resort in enumerate(listed):
            if isinstance(resort, OtherModel):
                try:
                    leads_to[model].append(find(resort.name).name)
                except UnknownModel as exc:
                    problems.append(f"models.{model}.last_resorts.{number}: {exc.message}")
    for loop in loops(leads_to):
        problems.append(f"models.{loop[0]}.last_resorts: lead back to where they began: {' -> '.join(loop)}")
    return problems


def loops(leads_to: Mapping[str, Sequence[str]]) -> list[list[str]]:
    """The ways that lead back to where they began, such as ``[a, b, a]``; empty where there is none."""
    found: list[list[str]] = []
    done: set[str] = set()
    for start in leads_to:
        if start in done:
            continue
        path, ahead = [start], [iter(leads_to[start])]
        while path:
            target = next(ahead[-1], None)
            if target is None:
                done.add(path.pop())
                ahead.pop()
            elif target in path:
                found.append([*path[path.index(target) :], target])
            elif target not in done:
                path.append(target)
                ahead.append(iter(leads_to.get(target, ())))
    return found
