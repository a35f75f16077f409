"""Azure OpenAI: OpenAI's dialects under deployment paths, a versioned query and an ``api-key`` header.

``api_version: v1`` (the default) uses Azure's version-free ``/openai/v1`` API, where the model travels in the body;
a dated version uses ``/openai/deployments/<model>``.
"""

from typing import Any, ClassVar
from urllib.parse import quote

from ..types import Operation
from .http_provider import HttpProvider

_PATHS = {"chat": "chat/completions", "responses": "responses", "embeddings": "embeddings"}


class AzureProvider(HttpProvider):
    name: ClassVar[str] = "azure"
    secret_env = "AZURE_OPENAI_API_KEY"
    native: ClassVar[frozenset[Operation]] = frozenset({"chat", "responses", "embeddings"})

    def __init__(self, *, api_version: str = "v1", **common: Any) -> None:
        super().__init__(**common)
        self._api_version = api_version

    def path(self, operation: str, model: str, *, stream: bool) -> str:
        if self._api_version == "v1":
            return f"openai/v1/{_PATHS[operation]}"
        query = f"?api-version={quote(self._api_version, safe='')}"
        if operation == "responses":  # not below a deployment: the model travels in the body
            return f"openai/responses{query}"
        return f"openai/deployments/{quote(model, safe='')}/{_PATHS[operation]}{query}"

    def auth_headers(self) -> dict[str, str]:
        return {"api-key": self._secret} if self._secret else {}
