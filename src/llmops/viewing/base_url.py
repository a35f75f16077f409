"""Tells the browser where this server begins, so that it need not find out, and how links of ours turn the page.

A deep link such as ``/traces`` is served the same page as ``/``, whose script would try ``/traces/_stcore/…`` first:
two requests in vain and two errors in the console of every such visit. The page says it before its script runs. So
does `in_app.js`, without which a link within the dashboard would load all of it anew.
"""

import json
from collections.abc import Awaitable, Callable, MutableMapping
from pathlib import Path
from typing import Any

Message = MutableMapping[str, Any]
Receive = Callable[[], Awaitable[Message]]
Send = Callable[[Message], Awaitable[None]]
Application = Callable[[Message, Receive, Send], Awaitable[None]]
_HEAD = b"<head>"


class BaseUrl:
    """ASGI middleware. ``path`` is the prefix under which the dashboard is served, mostly none."""

    def __init__(self, app: Application, path: str = "") -> None:
        self._app = app
        begin = f"/{path.strip('/')}".rstrip("/")
        turns = Path(__file__).with_name("in_app.js").read_text(encoding="utf-8")
        known = f"window.__streamlit={{BACKEND_BASE_URL:location.origin+{json.dumps(begin)}}};"
        self._script = f"<script>{known}\n{turns}</script>"

    async def __call__(self, scope: Message, receive: Receive, send: Send) -> None:
        if scope["type"] != "http" or scope["method"] != "GET":
            await self._app(scope, receive, send)
            return
        page = _Page(send, self._script.encode())
        # A page that the browser has kept would come without its script, and compressed it cannot be added to.
        skipped = (b"accept-encoding", b"if-none-match", b"if-modified-since")
        if _wants_page(scope):
            scope = {**scope, "headers": [pair for pair in scope["headers"] if pair[0] not in skipped]}
        await self._app(scope, receive, page.take)


class _Page:
    """Adds to the beginning of an answer that is a page, and passes every other on as it is."""

    def __init__(self, send: Send, script: bytes) -> None:
        self._send = send
        self._script = script
        self._waiting: Message | None = None

    async def take(self, message: Message) -> None:
        if message["type"] == "http.response.start" and _is_page(message):
            self._waiting = message
            return
        if message["type"] == "http.response.body" and self._waiting is not None:
            start, self._waiting = self._waiting, None
            body = message.get("body", b"")
            if _HEAD in body:
                message = {**message, "body": body.replace(_HEAD, _HEAD + self._script, 1)}
                start = {**start, "headers": [_longer(pair, len(self._script)) for pair in start["headers"]]}
            await self._send(start)
        await self._send(message)


def _wants_page(scope: Message) -> bool:
    return any(name == b"accept" and b"text/html" in value for name, value in scope["headers"])


def _is_page(start: Message) -> bool:
    headers = dict(start.get("headers", ()))
    return b"text/html" in headers.get(b"content-type", b"") and b"content-encoding" not in headers


def _longer(pair: tuple[bytes, bytes], by: int) -> tuple[bytes, bytes]:
    name, value = pair
    return (name, str(int(value) + by).encode()) if name.lower() == b"content-length" else pair
