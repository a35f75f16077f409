"""Google Gemini: everything is translated, to generateContent and, for embeddings, to batchEmbedContents."""

from typing import ClassVar
from urllib.parse import quote

from ..dialects.embeddings import EmbeddingsDialect
from ..dialects.gemini import GeminiDialect
from ..dialects.gemini.embeddings import read_embeddings, write_embeddings
from ..errors import UnsupportedParameter
from ..types import Call, Operation, Outcome, Reply
from .http_provider import HttpProvider, read_json

_EMBEDDINGS = EmbeddingsDialect()
_DIALECT = GeminiDialect()


class GeminiProvider(HttpProvider):
    name: ClassVar[str] = "gemini"
    default_base_url = "https://generativelanguage.googleapis.com"
    secret_env = "GEMINI_API_KEY"
    native: ClassVar[frozenset[Operation]] = frozenset()

    def path(self, operation: str, model: str, *, stream: bool) -> str:
        where = f"v1beta/models/{quote(model.removeprefix('models/'), safe='')}"
        if operation == "embeddings":
            return f"{where}:batchEmbedContents"
        return f"{where}:streamGenerateContent?alt=sse" if stream else f"{where}:generateContent"

    def auth_headers(self) -> dict[str, str]:
        return {"x-goog-api-key": self._secret} if self._secret else {}

    async def translate(self, call: Call, model: str) -> Reply:
        if call.operation != "embeddings":
            return await super().translate(call, model)
        request = _EMBEDDINGS.read_request(call.body)
        if request.leftover and not call.allow_dropped:
            raise UnsupportedParameter(
                f"Gemini's embeddings cannot carry: {', '.join(request.leftover)}", param=request.leftover[0]
            )
        call.dropped = list(request.leftover)
        exchange = await self.post(call, "embeddings", model, write_embeddings(request, model), _DIALECT)
        vectors, usage = read_embeddings(await read_json(exchange), len(request.inputs))
        body = _EMBEDDINGS.write_reply(vectors, call.view.model, usage, request.encoding_format)
        return Reply(body=body, outcome=Outcome(usage=usage, model=model, first_content_s=self.now()))
