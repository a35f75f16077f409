"""``python -m tests.resilience_faults.watched_gateway CONFIG``: the gateway as it is served, and a window into it.

``GET /_watched`` tells how many tasks its event loop has, which files it holds open and what memory is resident.
"""

import asyncio
import json
import os
import re
import sys
from contextlib import suppress
from pathlib import Path
from typing import Any

from llmops.assembly import build_gateway
from llmops.config import load_settings
from llmops.gateway.asgi import JSON, Receive, Scope, Send, send_body
from llmops.gateway.server import bind, serve
from llmops.telemetry import operator_log

PATH = "/_watched"


def main(file: Path) -> None:
    operator_log.configure()
    settings = load_settings(file)
    gateway = build_gateway(settings, file=file)

    async def watched(scope: Scope, receive: Receive, send: Send) -> None:
        if scope.get("path") == PATH:
            await send_body(send, 200, [JSON], json.dumps(_seen()).encode())
            return
        await gateway(scope, receive, send)

    serve(watched, bind(settings.server.host, settings.server.port))


def _seen() -> dict[str, Any]:
    pages = int(Path("/proc/self/statm").read_text().split()[1])
    return {
        "tasks": len(asyncio.all_tasks()),
        "files": _open_files(),
        "resident_mib": pages * os.sysconf("SC_PAGE_SIZE") / 2**20,
    }


def _open_files() -> dict[str, int]:
    """By what they are, without numbers: a log that took another's place is the same."""
    found: dict[str, int] = {}
    for link in Path("/proc/self/fd").iterdir():
        with suppress(FileNotFoundError):  # the folder's own
            name = re.sub(r"\d+", "N", Path(os.readlink(link)).name)
            found[name] = found.get(name, 0) + 1
    return found


if __name__ == "__main__":
    main(Path(sys.argv[1]))
