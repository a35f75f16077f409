"""A caller that looks at an upstream's bytes as they come, with no library in between that would mend them."""

import asyncio
import json
from typing import Any

from llmops.dev.faults import FaultServer
from tests.fakes.gateway import Connection, http_request
from tests.serving import HOST

CHAT = "/v1/chat/completions"


def body(*, stream: bool = False, **more: Any) -> dict[str, Any]:
    return {"model": "m", "stream": stream, "messages": [{"role": "user", "content": "Hello"}], **more}


async def connect(server: FaultServer) -> Connection:
    return Connection(*await asyncio.open_connection(HOST, server.port, limit=2**25))


async def struck(server: FaultServer, name: str, *, stream: bool, wait_s: float = 5.0) -> tuple[bytes, str]:
    """All that comes in answer to a chat call struck by a fault, and how it ends: FIN, RST, or open after a while."""
    connection = await connect(server)
    async with connection:
        headers = {"connection": "close"}
        await connection.send(http_request("POST", f"/fault/{name}{CHAT}", body(stream=stream), headers))
        parts = []
        try:
            async with asyncio.timeout(wait_s):
                while part := await connection.reader.read(2**20):
                    parts.append(part)
        except TimeoutError:
            return b"".join(parts), "open"
        except ConnectionResetError:
            return b"".join(parts), "RST"
        return b"".join(parts), "FIN"


def dechunked(answer: bytes) -> bytes:
    """The body of a chunked answer."""
    rest = answer.partition(b"\r\n\r\n")[2]
    parts = []
    while rest:
        size, _, rest = rest.partition(b"\r\n")
        length = int(size, 16)
        parts.append(rest[:length])
        rest = rest[length + 2 :] if length else b""
    return b"".join(parts)


def data_of(events: bytes) -> list[Any]:
    """What the events of a stream say, ``[DONE]`` included."""
    lines = [line.removeprefix(b"data: ") for line in events.split(b"\n") if line.startswith(b"data: ")]
    return [line.decode() if line == b"[DONE]" else json.loads(line) for line in lines]


def text_of(chunks: list[Any]) -> str:
    deltas = [choice["delta"] for chunk in chunks if chunk != "[DONE]" for choice in chunk["choices"]]
    return "".join(delta.get("content") or "" for delta in deltas)
