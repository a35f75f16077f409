"""Prompts made of prompts: ``{{> folder/name}}``, with ``@version`` or ``@label`` behind it, or else the newest.

What is included is pinned when a version is published: its text is taken in, and a label that moves later changes
nothing. A prompt that would come to include itself, and a chain of more than eight, are errors that show the path. Only
text prompts of the plain engine can be included; their variables join those of the prompt around them, which may
declare them anew. A tenant's own prompt is found before a shared one of that name.
"""

from collections.abc import Callable

import msgspec

from ..errors import InvalidRequest
from .prompt import LATEST, Content, Selector, Version, reference_of
from .template import MAX_CHARS, Tag, fault, tags_of
from .variables import Variable

MAX_DEPTH = 8
_MAX_INCLUDED = 100

Lookup = Callable[[str, Selector], Version | None]
"""A version by name, as far as the prompt's tenant may see it."""


class _Included(msgspec.Struct):
    pins: dict[str, str] = {}
    versions: dict[str, Version] = {}
    variables: dict[str, tuple[str, Variable]] = {}
    declared: frozenset[str] = frozenset()
    """What the prompt around them declares itself."""


def resolve(name: str, content: Content, lookup: Lookup) -> tuple[Content, dict[str, str]]:
    """The content of the prompt ``name`` with all that it includes, and the pins; the same object if there are none."""
    found = _Included(declared=frozenset(content.variables))
    if content.kind == "text":
        text = _composed(name, content.text, lookup, found)
        resolved = msgspec.structs.replace(content, text=text)
    else:
        messages = tuple(
            msgspec.structs.replace(each, content=_composed(name, each.content, lookup, found))
            for each in content.messages
        )
        resolved = msgspec.structs.replace(content, messages=messages)
    if not found.pins:
        return content, {}
    variables = {each: variable for each, (_, variable) in found.variables.items()}
    return msgspec.structs.replace(resolved, variables={**variables, **content.variables}), found.pins


def _composed(name: str, text: str, lookup: Lookup, found: _Included) -> str:
    tags = [tag for tag in tags_of(text) if tag.kind == "include"]
    if not tags:
        return text
    pieces, position = [], 0
    for tag in tags:
        included = _included(name, text, tag, lookup, found)
        pieces += [text[position : tag.start], included.resolved.text]
        position = tag.end
        if sum(map(len, pieces)) > MAX_CHARS:
            raise fault(text, tag.start, f"with what is included the template has more than {MAX_CHARS:,} characters")
    return "".join([*pieces, text[position:]])


def _included(name: str, text: str, tag: Tag, lookup: Lookup, found: _Included) -> Version:
    known = found.versions.get(tag.value)
    if known is not None:
        return known
    if len(found.versions) >= _MAX_INCLUDED:
        raise fault(text, tag.start, f"more than {_MAX_INCLUDED} prompts are included")
    try:
        wanted, selector = reference_of(tag.value)
    except InvalidRequest as exc:
        raise fault(text, tag.start, exc.message) from exc
    if wanted == name:
        raise fault(text, tag.start, f"the prompt includes itself: {name} → {wanted}")
    version = lookup(wanted, selector or Selector(label=LATEST))
    if version is None:
        raise fault(text, tag.start, f"there is no prompt {tag.value!r} to include")
    if version.resolved.kind != "text" or version.resolved.engine != "plain":
        raise fault(text, tag.start, f"{version.shown} is no plain text prompt, and only those can be included")
    _check_path(name, version, lookup, text, tag)
    for each, variable in version.resolved.variables.items():
        by, other = found.variables.get(each, (version.shown, variable))
        if other != variable and each not in found.declared:
            raise fault(
                text, tag.start, f"{by} and {version.shown} declare the variable {each!r} differently; declare it here"
            )
        found.variables[each] = by, variable
    found.versions[tag.value] = version
    found.pins[tag.value] = version.shown
    return version


def _check_path(name: str, version: Version, lookup: Lookup, text: str, tag: Tag) -> None:
    """Walk what is below; each version once, for the longest way to it matters little: pins cannot go in circles."""
    depths: dict[str, int] = {}

    def walk(each: Version, path: tuple[str, ...]) -> None:
        path = (*path, each.name)
        if each.name == name:
            raise fault(text, tag.start, f"the prompt would include itself: {' → '.join(path)}")
        if len(path) - 1 > MAX_DEPTH:
            raise fault(text, tag.start, f"more than {MAX_DEPTH} prompts within each other: {' → '.join(path)}")
        if depths.get(each.shown, 0) >= len(path):
            return
        depths[each.shown] = len(path)
        for pinned in each.pins.values():
            below_name, selector = reference_of(pinned)
            below = lookup(below_name, selector or Selector(label=LATEST))
            if below is not None:
                walk(below, path)

    walk(version, (name,))
