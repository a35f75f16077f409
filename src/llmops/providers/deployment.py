"""A deployment: one concrete place a call can go. Built once from the configuration, then only read."""

from typing import Protocol

import msgspec

from ..types import Call, Reply


class Provider(Protocol):
    """Speaks one provider's wire and translates its errors into the `UpstreamError` family.

    ``send`` returns a complete reply, or a streaming one once its first content-bearing event has been seen.
    Both are in the dialect of the call, whatever the provider speaks.
    """

    @property
    def name(self) -> str: ...

    async def send(self, call: Call) -> Reply: ...


class Deployment(msgspec.Struct, frozen=True, kw_only=True, eq=False):
    """Provider + base URL + model name, under one name that is unique in the configuration.

    The provider holds the secret, bound to its base URL. ``model`` None passes the client's model name on.
    """

    name: str
    provider: Provider
    model: str | None
    base_url: str = ""
    has_secret: bool = False
    weight: float = 1.0

    def upstream_model(self, requested: str) -> str:
        return self.model or requested
