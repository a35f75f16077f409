"""Anthropic: the Messages dialect natively; chat and responses are translated to it."""

from typing import ClassVar

from ..types import Operation
from .http_provider import HttpProvider

_PATHS = {"messages": "v1/messages", "count_tokens": "v1/messages/count_tokens"}
_API_VERSION = "2023-06-01"


class AnthropicProvider(HttpProvider):
    name: ClassVar[str] = "anthropic"
    default_base_url = "https://api.anthropic.com"
    secret_env = "ANTHROPIC_API_KEY"
    native: ClassVar[frozenset[Operation]] = frozenset({"messages", "count_tokens"})

    def path(self, operation: str, model: str, *, stream: bool) -> str:
        return _PATHS[operation]

    def auth_headers(self) -> dict[str, str]:
        return {"anthropic-version": _API_VERSION, **({"x-api-key": self._secret} if self._secret else {})}
