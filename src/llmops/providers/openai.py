"""OpenAI, and every server that speaks its API: the preset says where it is and which operations it has natively."""

from typing import ClassVar

import msgspec

from ..types import Operation
from .http_provider import HttpProvider

_PATHS = {"chat": "chat/completions", "responses": "responses", "embeddings": "embeddings"}


class OpenAIProvider(HttpProvider):
    name: ClassVar[str] = "openai"
    default_base_url = "https://api.openai.com/v1"
    secret_env = "OPENAI_API_KEY"
    native: ClassVar[frozenset[Operation]] = frozenset({"chat", "responses", "embeddings"})

    def path(self, operation: str, model: str, *, stream: bool) -> str:
        return _PATHS[operation]


class Preset(msgspec.Struct, frozen=True, kw_only=True):
    """A well-known OpenAI-compatible server. ``secret_env`` None: it asks for no key by default.

    ``max_tokens_field`` is the output limit's name in translated requests: only OpenAI and Azure know the newer one.
    ``asks_usage`` False: its streams report usage unasked, and it refuses ``stream_options``.
    """

    base_url: str
    secret_env: str | None = None
    native: frozenset[Operation] = frozenset({"chat", "embeddings"})
    max_tokens_field: str = "max_tokens"
    asks_usage: bool = True


PRESETS: dict[str, Preset] = {
    "openai": Preset(
        base_url="https://api.openai.com/v1",
        secret_env="OPENAI_API_KEY",
        native=OpenAIProvider.native,
        max_tokens_field="max_completion_tokens",
    ),
    "vllm": Preset(base_url="http://127.0.0.1:8000/v1", native=OpenAIProvider.native),
    "ollama": Preset(base_url="http://127.0.0.1:11434/v1"),
    "tgi": Preset(base_url="http://127.0.0.1:3000/v1", native=frozenset({"chat"})),
    "llamacpp": Preset(base_url="http://127.0.0.1:8080/v1"),
    "openrouter": Preset(
        base_url="https://openrouter.ai/api/v1", secret_env="OPENROUTER_API_KEY", native=frozenset({"chat"})
    ),
    "groq": Preset(base_url="https://api.groq.com/openai/v1", secret_env="GROQ_API_KEY", native=frozenset({"chat"})),
    "mistral": Preset(base_url="https://api.mistral.ai/v1", secret_env="MISTRAL_API_KEY", asks_usage=False),
    "deepseek": Preset(
        base_url="https://api.deepseek.com/v1", secret_env="DEEPSEEK_API_KEY", native=frozenset({"chat"})
    ),
}
