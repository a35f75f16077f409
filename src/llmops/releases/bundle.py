"""A bundle: everything that decides how a released name answers, as one immutable value whose hash is its release's id.

The id is made of the canonical content (JSON with sorted names), the name and the gate included: the same bundle has
the same id wherever it is made, and nobody can take the gate off a release without making another one. Parameters and
tools are written as Chat Completions has them; `overlay` brings them into the other dialects. ``retrieval`` and
``guardrails`` are part of the identity for those that act on them; here only ``retrieval.knowledge`` has a meaning:
answers are kept apart by it.
"""

import hashlib
import re
from collections.abc import Mapping
from typing import Any, Protocol

import msgspec

from ..errors import InvalidRequest, UnknownModel

NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9._:/-]{0,99}")
RELEASE_ID = re.compile(r"rel-[0-9a-f]{16}")
MAX_BYTES = 256_000
_STRUCTURE = frozenset(
    {"model", "messages", "input", "system", "instructions", "prompt", "stream", "stream_options", "tools", "user"}
)
"""What a request says itself, or what has a place of its own in a bundle."""
_SELECTORS = frozenset({"model", "release", "knowledge", "tag"})
_canonical = msgspec.json.Encoder(order="sorted").encode


class PromptPin(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """One version of a prompt."""

    name: str
    version: int

    def __str__(self) -> str:
        return f"{self.name}@{self.version}"


class Bundle(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True, forbid_unknown_fields=True):
    """``name`` is what clients ask for, ``model`` a configured model that answers.

    ``parameters`` hold where a request says nothing, ``forced`` whatever it says. ``drop_caches`` are selectors of kept
    answers that are let go when the release becomes live.
    """

    name: str
    model: str
    prompt: PromptPin | None = None
    parameters: dict[str, Any] = {}
    forced: dict[str, Any] = {}
    tools: list[dict[str, Any]] = []
    retrieval: dict[str, Any] = {}
    guardrails: list[Any] = []
    drop_caches: list[dict[str, str]] = []
    requires_gate: bool = False

    @property
    def knowledge(self) -> str | None:
        found = self.retrieval.get("knowledge")
        return found if isinstance(found, str) else None


class Models(Protocol):
    """The configured models."""

    def find(self, name: str, /) -> object:
        """`UnknownModel` where there is none."""
        ...


class Prompts(Protocol):
    """The prompts that there are."""

    def has_version(self, tenant: str | None, name: str, version: int, /) -> bool:
        """Whether a tenant (None: all of them) sees this version."""
        ...


def canonical(bundle: Bundle) -> bytes:
    return _canonical(bundle)


def release_id(bundle: Bundle) -> str:
    return f"rel-{hashlib.sha256(canonical(bundle)).hexdigest()[:16]}"


def read_bundle(values: Mapping[str, Any]) -> Bundle:
    """A bundle from plain data; `InvalidRequest` that names the place for what is none."""
    try:
        bundle = msgspec.convert(values, Bundle)
    except msgspec.ValidationError as exc:
        what, _, where = str(exc).partition(" - at `$")
        path = where.rstrip("`").lstrip(".")
        raise InvalidRequest(f"the bundle: {what}{f' (at {path!r})' if path else ''}", param=path or None) from exc
    _check(bundle)
    return bundle


def validate(bundle: Bundle, tenant: str | None, models: Models, prompts: Prompts | None) -> None:
    """`InvalidRequest` for a model or a prompt version that is not there. Without ``prompts`` nobody knows of any, and
    a bundle with one is refused."""
    try:
        models.find(bundle.model)
    except UnknownModel as exc:
        raise InvalidRequest(f"model: {exc.message}", param="model") from exc
    pin = bundle.prompt
    if pin is not None and (prompts is None or not prompts.has_version(tenant, pin.name, pin.version)):
        raise InvalidRequest(
            f"prompt: there is no version {pin.version} of the prompt {pin.name[:100]!r}; publish it first",
            param="prompt",
        )


def _check(bundle: Bundle) -> None:
    if not NAME.fullmatch(bundle.name):
        raise InvalidRequest(
            f"name: {bundle.name[:100]!r}: 1 to 100 letters, digits and . _ : / -, beginning with a letter or digit",
            param="name",
        )
    if not bundle.model or "*" in bundle.model:
        raise InvalidRequest(f"model: {bundle.model[:100]!r}: one configured model, not a pattern", param="model")
    for field in ("parameters", "forced"):
        for parameter in getattr(bundle, field):
            if parameter in _STRUCTURE:
                raise InvalidRequest(
                    f"{field}.{parameter}: is said by the request, or by a field of the bundle", param=field
                )
    for number, selector in enumerate(bundle.drop_caches):
        if not selector or not selector.keys() <= _SELECTORS:
            raise InvalidRequest(
                f"drop_caches[{number}]: {selector!r}: names any of {', '.join(sorted(_SELECTORS))}",
                param="drop_caches",
            )
    if (size := len(canonical(bundle))) > MAX_BYTES:
        raise InvalidRequest(f"the bundle has {size} bytes; at most {MAX_BYTES} are kept")
