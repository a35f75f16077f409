"""What an answer is known by, and which answers a word of invalidation means.

A `Selector` names any of tenant, model, release, knowledge and tag; an answer is meant when it agrees in all that are
named, and the empty one means every answer. ``knowledge`` is a base and its version, ``name@version``; a selector that
gives the name alone means all versions of it.
"""

from typing import Self

import msgspec

from ...types import Call


class Labels(msgspec.Struct, frozen=True, kw_only=True, gc=False):
    """Of one answer. ``tags`` are ``name=value``, as the call had them."""

    tenant: str
    model: str
    release: str | None = None
    knowledge: str | None = None
    tags: tuple[str, ...] = ()

    @classmethod
    def of(cls, call: Call) -> Self:
        """The labels of an answer to this call."""
        return cls(
            tenant=call.tenant,
            model=call.model or call.view.model,
            release=call.release_id,
            knowledge=call.knowledge,
            tags=tuple(f"{name}={value}" for name, value in call.tags.items()),
        )


class Selector(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True, gc=False):
    """Which answers. ``tag`` is a whole ``name=value``, or a name alone for all its values."""

    tenant: str | None = None
    model: str | None = None
    release: str | None = None
    knowledge: str | None = None
    tag: str | None = None

    def selects(self, labels: Labels) -> bool:
        return (
            (self.tenant is None or self.tenant == labels.tenant)
            and (self.model is None or self.model == labels.model)
            and (self.release is None or self.release == labels.release)
            and (self.knowledge is None or _is_part(self.knowledge, labels.knowledge, "@"))
            and (self.tag is None or any(_is_part(self.tag, tag, "=") for tag in labels.tags))
        )


def _is_part(wanted: str, present: str | None, separator: str) -> bool:
    """Whether ``present`` is the wanted one, or one of the wanted name."""
    if present is None:
        return False
    return present == wanted or (separator not in wanted and present.startswith(wanted + separator))
