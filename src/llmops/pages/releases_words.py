"""What the pages of releases share: links, whose it is, moments, the gate's verdicts as words."""

from collections.abc import Mapping
from datetime import datetime
from typing import Any

from ..viewing import address, figures
from ..viewing.components import Cell, Mood, link
from ..viewing.view import View

VERDICTS: dict[str, Mood] = {"PASS": "good", "BLOCK": "bad", "INCONCLUSIVE": "warn", "ERROR": "bad"}
Release = Mapping[str, Any]


def here(view: View, release: str | None = None, of: str | None = None, **more: object) -> str:
    """This page; with an id that release's card."""
    of = None if view.reader.tenant else of or (address.read("of") if release else None)
    return link("releases", tenant=view.tenant, release=release, of=of, **more)


def seer(view: View) -> dict[str, str]:
    """For whom is asked, where that is not simply this reader."""
    of = address.read("of") or view.tenant
    return {"tenant": of} if of and view.reader.tenant is None else {}


def whose(view: View, tenant: str | None) -> dict[str, str]:
    """The parameters of a change: an administrator names the tenant, and without one means the shared ones."""
    return {"tenant": tenant} if tenant and view.reader.tenant is None else {}


def may_change(view: View, tenant: str | None) -> bool:
    """A shared one (None) is an administrator's of all to change."""
    return view.may_change and (view.reader.tenant is None or tenant is not None)


def owner_of(tenant: str | None) -> str:
    return "shared" if tenant is None else tenant


def when(view: View, iso: str | None) -> Cell:
    if iso is None:
        return Cell(figures.NOTHING)
    at_s = datetime.fromisoformat(iso).timestamp()
    return Cell(figures.moment(at_s, view.zone, now_s=view.now_s), title=figures.moment(at_s, view.zone))


def trace_link(view: View, release: str) -> str:
    return link("traces", release=release, tenant=view.tenant)
