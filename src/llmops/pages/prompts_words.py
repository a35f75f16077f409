"""What the pages of one prompt share: whose it is, links, how versions are named, who may change it."""

from typing import Any, NamedTuple

from ..viewing import address, figures, words
from ..viewing.components import Cell, link
from ..viewing.view import View

SHARED = "*"
"""The tenant of what an administrator publishes for all."""
_KEPT = ("of", "name")


class Asked(NamedTuple):
    """The prompt of the page: its summary with the newest versions, as the control plane gives it."""

    name: str
    found: dict[str, Any]

    @property
    def versions(self) -> list[dict[str, Any]]:
        shown: list[dict[str, Any]] = self.found["versions"]
        return shown

    @property
    def is_shared(self) -> bool:
        return bool(self.found["is_shared"])

    def options(self, *also: str) -> list[str]:
        """Labels first, then numbers; ``also`` what the address asks for, if it is a number."""
        numbers = [str(each["number"]) for each in self.versions]
        more = [each for each in also if each.isdecimal() and len(each) < 10 and each not in numbers]
        return [*self.found["labels"], *numbers, *more]

    def said(self, option: str) -> str:
        """How a version or label is named in a list of them."""
        if option in self.found["labels"]:
            return f"{option} (version {self.found['labels'][option]})"
        labels = [name for name, number in self.found["labels"].items() if str(number) == option]
        return f"version {option}" + (f" · {', '.join(labels)}" if labels else "")

    def number(self, option: str) -> int:
        return int(self.found["labels"].get(option) or option)

    @property
    def standard(self) -> str:
        """What is shown first: what is in production, or else the newest."""
        return "production" if "production" in self.found["labels"] else str(self.versions[0]["number"])


def owner(view: View) -> dict[str, str]:
    """Whose it is, where that is not this reader's own tenant."""
    of = address.read("of") or view.tenant
    return {"tenant": of} if of and view.reader.tenant is None else {}


def whose(view: View, asked: Asked) -> dict[str, str]:
    """The parameters of a change: an administrator says for whom."""
    if view.reader.tenant is not None:
        return {}
    return {"shared": "true"} if asked.is_shared else {"tenant": str(asked.found["tenant"])}


def may_change(view: View, asked: Asked) -> bool:
    """Whether it is this reader's to change: a shared one is an administrator's of all."""
    return view.may_change and (view.reader.tenant is None or not asked.is_shared)


def here(view: View, name: str | None = None, of: str | None = None, **more: object) -> str:
    """This page; with a name that prompt."""
    of = of or (address.read("of") if name else None)
    return link("prompts", tenant=view.tenant, name=name, of=None if view.reader.tenant else of, **more)


def crumbs(view: View, name: str) -> list[tuple[str, str | None]]:
    """The way back: all prompts, each folder, this one."""
    steps: list[tuple[str, str | None]] = [("All prompts", here(view))]
    parts = name.split("/")
    steps += [(part, here(view, folder="/".join(parts[: number + 1]))) for number, part in enumerate(parts[:-1][:9])]
    return [*steps, (parts[-1], None)]


def when(view: View, at_ms: int | None) -> Cell:
    if at_ms is None:
        return Cell(figures.NOTHING)
    at_s = at_ms / 1000
    return Cell(figures.moment(at_s, view.zone, now_s=view.now_s), title=figures.moment(at_s, view.zone))


def who(name: str | None) -> Cell:
    return Cell(words.plain(name or "", 30), title=name or "")
