"""Single requests that show whether a target does its work at all, before its speed is measured.

Readiness pages are not always true, and a gateway that does not account for streams would be measured as a fast one.
"""

import json
import time
from http.client import HTTPConnection, HTTPException

from . import wire
from .process import HOST, StartFailed

FIRST_ANSWER_S = 30.0
HEADERS = {"content-type": "application/json", "authorization": f"Bearer {wire.KEY}"}


def await_first_answer(name: str, port: int) -> None:
    """Wait until a chat request is answered with the upstream's words; `StartFailed` tells what came instead."""
    deadline_s = time.perf_counter() + FIRST_ANSWER_S
    seen = "nothing"
    while time.perf_counter() < deadline_s:
        try:
            status, body = _exchange(port, "POST", wire.PATH, wire.CHAT_BODY)
        except (OSError, HTTPException) as exc:
            seen = repr(exc)
        else:
            if status == 200 and b"Hello there" in body:
                return
            seen = f"{status} {body[:300]!r}"
        time.sleep(0.2)
    raise StartFailed(f"{name} does not answer a chat request: {seen}")


def accounts_for_streams(port: int, upstream_port: int) -> bool:
    """Whether a stream is asked for with usage upstream, and that usage is kept from a client who did not ask."""
    before = _usage_asked(upstream_port)
    _, body = _exchange(port, "POST", wire.PATH, wire.STREAM_BODY)
    return _usage_asked(upstream_port) == before + 1 and b'"usage":{' not in body.replace(b" ", b"")


def _usage_asked(upstream_port: int) -> int:
    count: int = json.loads(_exchange(upstream_port, "GET", wire.STATS_PATH.decode())[1])["usage_asked"]
    return count


def _exchange(port: int, method: str, path: str, body: str | None = None) -> tuple[int, bytes]:
    connection = HTTPConnection(HOST, port, timeout=10)
    try:
        connection.request(method, path, body, HEADERS)
        response = connection.getresponse()
        return response.status, response.read()
    finally:
        connection.close()
