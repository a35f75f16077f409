"""A deployment: one concrete place a call can go. Built once from the configuration, then only read."""

from typing import Any, Protocol

import msgspec

from ..types import Call, Operation, Reply


class Provider(Protocol):
    """Speaks one provider's wire and translates its errors into the `UpstreamError` family.

    ``send`` returns a complete reply, or a streaming one once its first content-bearing event has been seen.
    Both are in the dialect of the call, whatever the provider speaks.
    """

    name: str

    async def send(self, call: Call) -> Reply: ...


class Deployment(msgspec.Struct, frozen=True, kw_only=True, eq=False):
    """Provider + base URL + model name + secret + limits, under one name that is unique in the configuration.

    ``operations`` are those this place can answer in its own dialect; chat-like ones are otherwise translated.
    ``model`` None passes the client's model name on. ``secret`` is bound to ``base_url`` and never shown.
    """

    name: str
    provider: Provider
    model: str | None
    base_url: str = ""
    secret: str | None = None
    operations: frozenset[Operation] = frozenset()
    weight: float = 1.0
    options: dict[str, Any] = {}

    def __repr__(self) -> str:
        return f"Deployment({self.name!r}, {self.provider.name}, {self.base_url!r})"

    def upstream_model(self, requested: str) -> str:
        return self.model or requested
