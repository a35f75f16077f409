"""What a prompt is: its content as somebody wrote it, and the immutable versions that are made of it.

The content's hash is of what was written, whoever wrote it and wherever: files and the database are compared by it. A
version also holds what the content means with everything that it includes put in (``resolved``) and which versions
those were (``pins``), so a version renders the same for ever.
"""

import hashlib
import re
from typing import Any, Literal

import msgspec

from ..errors import InvalidRequest
from .variables import Variable

Kind = Literal["text", "chat"]
Engine = Literal["plain", "jinja"]
Role = Literal["system", "developer", "user", "assistant"]
SHARED = "*"
"""Whose prompts are an administrator's that all tenants see; no tenant can be called that."""
LATEST = "latest"
"""The label that is always at the newest version."""
PRODUCTION = "production"
"""What is meant where neither a request nor the settings name a version or label."""
MAX_NAME_CHARS = 200
MAX_COMMENT_CHARS = 2000
_SEGMENT = r"[A-Za-z0-9_](?:[A-Za-z0-9_. -]*[A-Za-z0-9_-])?"
_NAME = re.compile(rf"{_SEGMENT}(?:/{_SEGMENT}){{0,9}}")
_LABEL = re.compile(r"(?![0-9]+\Z)[a-z0-9_.-]{1,36}")
_RESERVED = frozenset({"model", "messages", "input", "system", "instructions", "prompt", "stream"})


class Message(msgspec.Struct, frozen=True, omit_defaults=True, forbid_unknown_fields=True):
    """One message of a chat prompt; or, with ``placeholder``, where a list of messages of that name goes."""

    role: Role | None = None
    content: str = ""
    placeholder: str | None = None


class Content(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True, forbid_unknown_fields=True):
    """What somebody writes. ``config`` is free, but for ``model`` and ``parameters``: defaults of the call."""

    kind: Kind = "text"
    engine: Engine = "plain"
    text: str = ""
    messages: tuple[Message, ...] = ()
    variables: dict[str, Variable] = {}
    config: dict[str, Any] = {}

    @property
    def digest(self) -> str:
        return hashlib.sha256(msgspec.json.encode(self, order="sorted")).hexdigest()[:32]

    @property
    def texts(self) -> list[str]:
        """All templates in it."""
        return [self.text] if self.kind == "text" else [each.content for each in self.messages]


class Version(msgspec.Struct, frozen=True, kw_only=True):
    """One revision of a prompt, for ever the same but for its ``labels``."""

    tenant: str
    name: str
    number: int
    content: Content
    resolved: Content
    pins: dict[str, str] = {}
    """By what was written (``tone@production``) what it was: ``tone@4``."""
    digest: str
    author: str
    comment: str
    created_at_ms: int
    labels: tuple[str, ...] = ()

    @property
    def shown(self) -> str:
        return f"{self.name}@{self.number}"


class Selector(msgspec.Struct, frozen=True):
    """Which version: a number or a label."""

    number: int | None = None
    label: str | None = None

    @property
    def shown(self) -> str:
        return str(self.number) if self.number is not None else self.label or LATEST


def selector_of(value: int | str) -> Selector:
    """A number, or a text that is a number or a label."""
    if isinstance(value, str) and not value.isdigit():
        return Selector(label=checked_label(value))
    try:
        number = int(value)
    except ValueError:  # digits of other scripts, or too many of them
        number = 0
    if not 1 <= number < 2**31:
        raise InvalidRequest(f"{str(value)[:40]!r} is no version: they are numbered from 1", param="version")
    return Selector(number=number)


def reference_of(text: str) -> tuple[str, Selector | None]:
    """``name``, ``name@3`` or ``name@label``."""
    name, at, which = text.partition("@")
    return checked_name(name.strip()), selector_of(which.strip()) if at else None


def checked_name(name: str) -> str:
    if len(name) > MAX_NAME_CHARS or not _NAME.fullmatch(name):
        raise InvalidRequest(
            f"{name[:80]!r} is no prompt's name: folders and a name with / between them, such as support/refund, of "
            f"letters, digits, _ - . and spaces, at most {MAX_NAME_CHARS} characters",
            param="name",
        )
    return name


def checked_label(label: str) -> str:
    if not _LABEL.fullmatch(label):
        raise InvalidRequest(
            f"{label[:60]!r} is no label: lower case letters, digits, _ - and ., at most 36, not only digits",
            param="label",
        )
    return label


def checked_config(config: dict[str, Any]) -> None:
    """`InvalidRequest` for defaults of a call that cannot be any."""
    model, parameters = config.get("model"), config.get("parameters", {})
    if model is not None and not (isinstance(model, str) and 0 < len(model) <= 200):
        raise InvalidRequest(f"config.model: {str(model)[:80]!r}: must be a model's name", param="config.model")
    if not isinstance(parameters, dict):
        raise InvalidRequest("config.parameters must be an object, such as {temperature: 0.2}", param="config")
    for name in parameters:
        if name in _RESERVED:
            raise InvalidRequest(
                f"config.parameters.{name} is the request's own; a prompt gives the other parameters of a call",
                param=f"config.parameters.{name}",
            )
