"""What is known of a dataset and its versions, the names that they go by, and how worn a version is.

A reference is ``name`` (its label ``latest``), ``name@label`` or ``name@version``. The label ``golden``, and labels
that begin with ``golden-``, are protected: only an administrator moves them, and says why. A version that decides again
and again is learned by heart, by people as well as by models (Blum and Hardt 2015): after `WORN_AFTER` decisions it
says so.
"""

import re
from typing import Any

import msgspec

from ...errors import InvalidRequest

LATEST = "latest"
GOLDEN = "golden"
WORN_AFTER = 50
_NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]{0,99}")
_HASH = re.compile(r"[0-9a-f]{16}")


class Version(msgspec.Struct, frozen=True, kw_only=True):
    """``used`` counts the decisions (gates) that this version has made."""

    dataset: str
    tenant: str
    number: int
    version: str
    parent: str | None
    cases: int
    created_at_ms: int
    created_by: str | None
    source: str
    note: str
    used: int
    last_used_at_ms: int | None
    labels: tuple[str, ...] = ()

    @property
    def wear(self) -> str | None:
        """A warning; None while there is no reason for one."""
        if self.used < WORN_AFTER:
            return None
        return (
            f"{self.dataset}@{self.version} has decided {self.used:,} times: results are fitted to it by now; take "
            "fresh cases, and keep this one for comparison"
        )


class Summary(msgspec.Struct, frozen=True, kw_only=True):
    """A dataset in a list: its latest version, and how many there are."""

    dataset: str
    tenant: str
    versions: int
    latest: Version


class Label(msgspec.Struct, frozen=True, kw_only=True):
    label: str
    version: str
    moved_at_ms: int
    moved_by: str | None
    reason: str


class Event(msgspec.Struct, frozen=True, kw_only=True):
    """``change``: created, version, label, unlabel, removed, used."""

    at_ms: int
    who: str | None
    change: str
    version: str | None
    before: str | None
    reason: str


class Reference(msgspec.Struct, frozen=True):
    """``which`` is a label or a version."""

    name: str
    which: str = LATEST

    @property
    def is_version(self) -> bool:
        """Whether it looks like a version; a label of that form is refused when it is made."""
        return _HASH.fullmatch(self.which) is not None


def reference_of(text: str) -> Reference:
    """``name``, ``name@label`` or ``name@version``; `InvalidRequest` for what is none."""
    name, at, which = text.partition("@")
    checked_name(name, "dataset")
    return Reference(name, checked_name(which, "version") if at else LATEST)


def checked_name(name: str, what: str) -> str:
    if _NAME.fullmatch(name) is None:
        raise InvalidRequest(
            f"{what} {name[:110]!r}: must be 1 to 100 letters, digits and ._- and begin with a letter or digit",
            param=what,
        )
    return name


def checked_label(label: str) -> str:
    checked_name(label, "label")
    if _HASH.fullmatch(label):
        raise InvalidRequest(f"label {label!r}: looks like a version", param="label")
    return label


def is_protected(label: str) -> bool:
    return label == GOLDEN or label.startswith(f"{GOLDEN}-")


def shown(version: Version) -> dict[str, Any]:
    """As ``/api/datasets`` and ``--json`` give it."""
    fields: dict[str, Any] = msgspec.to_builtins(version)
    return {**fields, "warning": version.wear}
