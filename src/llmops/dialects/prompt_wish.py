"""``prompt: {name, version | label, variables}``: a request that names a prompt of the registry, in any dialect.

OpenAI's Responses have a ``prompt`` of their own, which is told by its ``id`` and goes upstream as it is; so does
whatever else is no object with a ``name``.
"""

from typing import Any

import msgspec

from ..errors import InvalidRequest
from ..types import PromptWish
from .dialect import decode_request


class _Wire(msgspec.Struct, forbid_unknown_fields=True):
    name: str
    version: int | str | None = None
    label: str | None = None
    fallback: int | str | None = None
    variables: dict[str, Any] | None = None


class _Kind(msgspec.Struct):
    name: msgspec.Raw = msgspec.Raw()
    id: msgspec.Raw = msgspec.Raw()


_WIRE = msgspec.json.Decoder(_Wire)
_KIND = msgspec.json.Decoder(_Kind)
_FIELDS = msgspec.json.Decoder(dict[str, msgspec.Raw])


def read_prompt(raw: msgspec.Raw) -> PromptWish | None:
    """What the field says; None where it is not this gateway's. `InvalidRequest` for nonsense."""
    if bytes(memoryview(raw)[:1]) != b"{":
        return None
    kind = decode_request(raw, _KIND)
    if not kind.name:
        return None
    if kind.id:
        raise InvalidRequest(
            "prompt: name a prompt of this gateway (`name`) or of OpenAI (`id`), not both", param="prompt"
        )
    try:
        wire: _Wire = decode_request(raw, _WIRE)
    except InvalidRequest as exc:
        raise InvalidRequest(f"prompt: {exc.message}", param=f"prompt.{exc.param}" if exc.param else "prompt") from exc
    if wire.version is not None and wire.label is not None:
        raise InvalidRequest("prompt: say `version` or `label`, not both", param="prompt")
    which = wire.version if wire.version is not None else wire.label
    return PromptWish(name=wire.name, which=which, fallback=wire.fallback, variables=wire.variables or {})


def check_present(body: bytes, *names: str) -> None:
    """`InvalidRequest` for fields that are not there at all, in the words of the decoder."""
    fields = decode_request(body, _FIELDS)
    for name in names:
        if name not in fields:
            raise InvalidRequest(f"Object missing required field `{name}`")
