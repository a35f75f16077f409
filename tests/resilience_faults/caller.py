"""One chat call over a connection of its own, and what its client sees of the answer, with the time of each word.

Nothing is mended: a connection that ends early, a line that is no JSON and a silence are what they are.
"""

import asyncio
import json
import re
from dataclasses import dataclass, field
from typing import Any
from urllib.parse import urlsplit

from llmops.dialects.sse import EventParser
from tests.fakes.gateway import Connection, http_request

_WORD = re.compile(r"\bw(\d+)")
_BUFFER_BYTES = 2**25


@dataclass
class Seen:
    """What came. ``text`` holds the words, of the content or of a tool call's arguments."""

    stream: bool
    status: int = 0
    text: str = ""
    error: str | None = None
    """The message of an error object, wherever it came."""
    finished: bool = False
    """A stream named its finish reason or said ``[DONE]``; a complete answer was one."""
    broken: str | None = None
    """What ended the answer, or made it unreadable, other than its regular end."""
    hung: bool = False
    seconds: float = 0.0
    quiet_s: float = 0.0
    """From the last word, or the beginning, to the error; where none was told, to the end."""
    told_s: float | None = None
    """When the error came, on the loop's clock."""
    raw: bytes = field(default=b"", repr=False)

    @property
    def words(self) -> list[int]:
        return [int(number) for number in _WORD.findall(self.text)]


class Caller:
    """Calls ``model`` at a base URL."""

    def __init__(self, base_url: str, *, key: str | None = None, limit_s: float = 15.0) -> None:
        """A call that takes longer than ``limit_s`` hangs."""
        parts = urlsplit(base_url)
        assert parts.hostname and parts.port, f"{base_url!r} needs a host and a port"
        self._address = parts.hostname, parts.port
        self._path = parts.path.rstrip("/") + "/chat/completions"
        self._headers = {"authorization": f"Bearer {key}"} if key else {}
        self._limit_s = limit_s

    async def call(self, model: str, *, stream: bool) -> Seen:
        loop = asyncio.get_running_loop()
        seen = Seen(stream)
        seen.quiet_s = started_s = loop.time()
        body = {"model": model, "stream": stream, "messages": [{"role": "user", "content": "Say many words."}]}
        try:
            async with asyncio.timeout(self._limit_s):
                reader, writer = await asyncio.open_connection(*self._address, limit=_BUFFER_BYTES)
                async with Connection(reader, writer) as connection:
                    await connection.send(http_request("POST", self._path, body, self._headers))
                    await read_answer(connection, seen)
        except TimeoutError:
            seen.hung = True
        except (ConnectionError, asyncio.IncompleteReadError) as exc:
            seen.broken = f"the connection was cut ({type(exc).__name__})"
        except (ValueError, KeyError, TypeError, AttributeError) as exc:
            seen.broken = f"unreadable: {exc}"
        now_s = loop.time()
        seen.seconds, seen.quiet_s = now_s - started_s, (seen.told_s or now_s) - seen.quiet_s
        return seen


async def read_answer(connection: Connection, seen: Seen) -> None:
    """Read one answer into ``seen``; raises what `Caller.call` makes a note of."""
    status, headers = await connection.read_head()
    seen.status = status
    if "content-length" in headers:
        body = await connection.reader.readexactly(int(headers["content-length"]))
        _read_document(body, seen)
    elif status == 200 and seen.stream:
        await _read_stream(connection, seen)
    else:
        parts = []
        while chunk := await connection.read_chunk():
            parts.append(chunk)
        _read_document(b"".join(parts), seen)


def _read_document(body: bytes, seen: Seen) -> None:
    seen.raw = body[:400]
    document = json.loads(body)
    if _note_error(document, seen) or seen.status != 200:
        return
    seen.text = document["choices"][0]["message"]["content"]
    seen.finished = True


async def _read_stream(connection: Connection, seen: Seen) -> None:
    parser = EventParser()
    loop = asyncio.get_running_loop()
    while chunk := await connection.read_chunk():
        for event in parser.feed(chunk):
            seen.raw = event.data[-400:]
            if event.data == b"[DONE]":
                seen.finished = True
                continue
            said = json.loads(event.data)
            if _note_error(said, seen):
                continue
            for choice in said.get("choices", ()):
                if text := _text_of(choice.get("delta") or {}):
                    seen.text += text
                    seen.quiet_s = loop.time()
                seen.finished = seen.finished or choice.get("finish_reason") is not None


def _note_error(said: Any, seen: Seen) -> bool:
    found = said.get("error")
    if found is None:
        return False
    seen.error = str(found.get("message") if isinstance(found, dict) else found)
    seen.told_s = asyncio.get_running_loop().time()
    return True


def _text_of(delta: dict[str, Any]) -> str:
    calls = [call["function"].get("arguments") or "" for call in delta.get("tool_calls") or ()]
    return (delta.get("content") or "") + "".join(calls)
