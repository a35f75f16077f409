"""The control plane without a gateway: the same routes over what the gateway has left on this machine, read only.

Where there is a database, over that; otherwise over a database in a temporary folder that the request log is brought
into and followed. Whose key sees what is decided as ever, by the database's keys; beside that a random key that only
this process knows guards the port, on 127.0.0.1. Changes are refused: they are the gateway's to make.
"""

import asyncio
import secrets
import socket
import tempfile
import threading
from collections.abc import Awaitable, Callable, MutableMapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

from .feed import Kind
from .source import Source

if TYPE_CHECKING:
    from ..settings import Settings
    from .offline_plane import OfflinePlane

_GUARD = "x-llmops-dashboard"
_START_S = 20.0
Message = MutableMapping[str, Any]
Receive = Callable[[], Awaitable[Message]]
Send = Callable[[Message], Awaitable[None]]


def open_stand_in() -> "Offline | None":
    """What can be shown of this folder's configuration; None where there is neither database nor log."""
    from ..config import default_file, load_settings
    from ..errors import LLMOpsError
    from ..opening import LOG_NAME, has_database

    try:
        settings = load_settings(default_file())
        if has_database(settings):
            return Offline(settings, "database")
        if (settings.log.dir / LOG_NAME).exists():
            return Offline(settings, "log")
    except LLMOpsError as exc:
        raise OSError(str(exc)) from exc
    return None


class Offline:
    """A server in a thread of its own, until ``close``."""

    def __init__(self, settings: "Settings", kind: Kind) -> None:
        self.kind = kind
        self._folder = tempfile.TemporaryDirectory(prefix="llmops-dashboard-") if kind == "log" else None
        self._settings = _over_log(settings, Path(self._folder.name)) if self._folder is not None else settings
        self._key = secrets.token_urlsafe(32)
        self._socket = socket.socket(socket.AF_INET, socket.SOCK_STREAM, socket.IPPROTO_TCP)
        self._socket.bind(("127.0.0.1", 0))
        self._ready, self._loop, self._stop = threading.Event(), asyncio.new_event_loop(), asyncio.Event()
        self._failed: BaseException | None = None
        self._thread = threading.Thread(target=self._run, name="offline-control-plane", daemon=True)
        self._thread.start()
        self._ready.wait(_START_S)
        if self._failed is not None:
            raise OSError(f"the records here cannot be shown: {self._failed}") from self._failed
        self.source = Source(f"http://127.0.0.1:{self._socket.getsockname()[1]}", {_GUARD: self._key})

    def close(self) -> None:
        """Stop serving and forget what was brought in."""
        self.source.close()
        self._loop.call_soon_threadsafe(self._stop.set)
        self._thread.join(_START_S)
        if self._folder is not None:
            self._folder.cleanup()

    def _run(self) -> None:
        asyncio.set_event_loop(self._loop)
        try:
            self._loop.run_until_complete(self._serve())
        except Exception as exc:  # noqa: BLE001 - a border: the page says what it was
            self._failed = exc
        finally:
            self._ready.set()
            self._loop.close()

    async def _serve(self) -> None:
        import uvicorn

        from .offline_plane import OfflinePlane

        lock_path = Path(self._folder.name) / "ingest.lock" if self._folder is not None else None
        plane = OfflinePlane(self._settings, lock_path=lock_path)
        await plane.start()
        server = uvicorn.Server(
            uvicorn.Config(_guarded(plane, self._key), log_config=None, access_log=False, lifespan="off", ws="none")
        )
        self._socket.listen(64)
        serving = asyncio.create_task(server._serve([self._socket]))
        try:
            while not server.started and not serving.done():  # noqa: ASYNC110 - uvicorn has nothing to wait for
                await asyncio.sleep(0.005)
            self._ready.set()
            await self._stop.wait()
        finally:
            server.should_exit = True
            await serving
            await plane.aclose()


def _over_log(settings: "Settings", folder: Path) -> "Settings":
    database = settings.database.model_copy(update={"url": f"sqlite:///{folder / 'calls.db'}"})
    return settings.model_copy(update={"database": database})


def _guarded(plane: "OfflinePlane", key: str) -> Callable[[Message, Receive, Send], Awaitable[None]]:
    async def app(scope: Message, receive: Receive, send: Send) -> None:
        given = dict(scope["headers"]).get(_GUARD.encode(), b"").decode("latin-1")
        if not secrets.compare_digest(given.encode(), key.encode()):
            await _say(send, 403, b'{"error": {"message": "this port is the dashboard\'s own"}}')
        elif scope["method"] != "GET":
            await _say(send, 503, b'{"error": {"message": "the gateway is not running; nothing can be changed now"}}')
        elif scope["path"] == "/health":
            await _say(send, 200, b'{"status": "ok", "problems": []}')
        else:
            await plane.app(scope, receive, send)

    return app


async def _say(send: Send, status: int, body: bytes) -> None:
    headers = [(b"content-type", b"application/json"), (b"content-length", str(len(body)).encode())]
    await send({"type": "http.response.start", "status": status, "headers": headers})
    await send({"type": "http.response.body", "body": body})
