"""The content parts of a Chat Completions message into neutral parts.

Each part is converted by its own typed struct, so that an error names its exact place; what a part holds beyond the
fields understood here goes to ``leftover`` by its path. ``cache_control``, which some clients set for Anthropic models,
is a hint about cost, not about meaning, and is not carried.
"""

from typing import Any

import msgspec

from ...errors import InvalidRequest
from ..conversation import Audio, Document, Image, Part, Refusal, Text
from ..data_url import split_data_url
from ..paths import convert_at, note_unknown, placed


class _TextPart(msgspec.Struct, tag_field="type", tag="text"):
    text: str


class _RefusalPart(msgspec.Struct, tag_field="type", tag="refusal"):
    refusal: str


class _ImageUrl(msgspec.Struct):
    url: str
    detail: str | None = None


class _ImagePart(msgspec.Struct, tag_field="type", tag="image_url"):
    image_url: _ImageUrl


class _InlineAudio(msgspec.Struct):
    data: str
    format: str


class _AudioPart(msgspec.Struct, tag_field="type", tag="input_audio"):
    input_audio: _InlineAudio


class _File(msgspec.Struct):
    file_data: str | None = None
    file_id: str | None = None
    filename: str | None = None


class _FilePart(msgspec.Struct, tag_field="type", tag="file"):
    file: _File


_WirePart = _TextPart | _RefusalPart | _ImagePart | _AudioPart | _FilePart
_HARMLESS = frozenset({"type", "cache_control"})

Content = str | list[dict[str, Any]] | None


def read_content(content: Content, path: str, leftover: dict[str, Any]) -> list[tuple[Part, str]]:
    """The parts, each with its place in the request."""
    if isinstance(content, str):
        return [(Text(content), path)] if content else []
    places = [(wire, f"{path}[{number}]") for number, wire in enumerate(content or ())]
    return [(_read_part(wire, where, leftover), where) for wire, where in places]


def _read_part(found: dict[str, Any], path: str, leftover: dict[str, Any]) -> Part:
    wire: _WirePart = convert_at(found, _WirePart, path)  # type: ignore[arg-type]
    note_unknown(found, _HARMLESS | frozenset(wire.__struct_fields__), path, leftover)
    for name in ("image_url", "input_audio", "file"):
        if (inner := getattr(wire, name, None)) is not None:
            note_unknown(found[name], frozenset(inner.__struct_fields__), f"{path}.{name}", leftover)
    match wire:
        case _TextPart():
            return Text(wire.text)
        case _RefusalPart():
            return Refusal(wire.refusal)
        case _ImagePart(image_url=image):
            if not image.url.startswith("data:"):
                return Image(url=image.url, detail=image.detail)
            media_type, data = _split(image.url, f"{path}.image_url.url")
            return Image(data=data, media_type=media_type, detail=image.detail)
        case _AudioPart(input_audio=audio):
            return Audio(data=audio.data, format=audio.format)
        case _FilePart(file=_File(file_data=str(inline)) as file):
            media_type, data = _split(inline, f"{path}.file.file_data")
            return Document(data=data, media_type=media_type, name=file.filename)
        case _FilePart(file=_File(file_id=str(file_id)) as file):
            return Document(file_id=file_id, name=file.filename)
    raise InvalidRequest(f"a file part needs file_data or a file_id (at '{path}.file')", param=f"{path}.file")


def _split(url: str, path: str) -> tuple[str, str]:
    try:
        return split_data_url(url)
    except InvalidRequest as exc:
        raise placed(exc, path) from exc
