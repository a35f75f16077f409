"""Google Gemini's generateContent dialect, spoken only towards upstreams.

No client speaks it to us, so it has the half of a dialect that an upstream needs: requests are written, replies,
streams and errors are read. There is no fast lane (``view``, ``patch``, ``tap_*``) and no way back to its wire form.

The model and whether to stream are in the URL (``models/<model>:generateContent`` and
``:streamGenerateContent?alt=sse``), so a body holds neither. Embeddings are another call of the same API
(``:batchEmbedContents``); see `embeddings`.
"""

from .embeddings import read_embeddings, write_embeddings
from .errors import read_error
from .reply import read_reply
from .request_writer import write_request
from .stream import GeminiStreamReader


class GeminiDialect:
    """The `UpstreamDialect` of ``generateContent``."""

    name = "gemini"

    write_request = staticmethod(write_request)
    read_reply = staticmethod(read_reply)
    read_error = staticmethod(read_error)

    def stream_reader(self) -> GeminiStreamReader:
        return GeminiStreamReader()


__all__ = ["GeminiDialect", "read_embeddings", "write_embeddings"]
