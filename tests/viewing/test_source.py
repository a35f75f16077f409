"""The client: what fails is a value, and the feed finds its way back."""

import json
from collections.abc import Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from threading import Thread
from typing import Any

import pytest

from llmops.viewing.feed import Feed
from llmops.viewing.source import Source


@contextmanager
def answering(status: int, body: bytes, port: int = 0) -> Iterator[str]:
    class Handler(BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"

        def do_GET(self) -> None:
            self.send_response(status)
            self.send_header("Content-Length", str(len(body)))
            self.end_headers()
            self.wfile.write(body)

        def log_message(self, *_: Any) -> None:
            pass

    server = ThreadingHTTPServer(("127.0.0.1", port), Handler)
    server.daemon_threads = True
    thread = Thread(target=server.serve_forever, args=(0.02,))
    thread.start()
    try:
        yield f"http://127.0.0.1:{server.server_port}"
    finally:
        server.shutdown()
        server.server_close()
        thread.join()


@pytest.mark.parametrize(
    ("status", "trouble"),
    [(401, "unauthenticated"), (403, "forbidden"), (404, "missing"), (503, "unavailable"), (400, "refused")],
)
def test_a_refusal_is_told_with_its_words(status: int, trouble: str) -> None:
    with answering(status, json.dumps({"error": {"message": "because"}}).encode()) as url:
        source = Source(url)
        problem = source.ask("/api/x").problem
        source.close()
    assert problem is not None and (problem.trouble, problem.message, problem.status) == (trouble, "because", status)


def test_what_is_no_gateway_is_told_apart() -> None:
    with answering(200, b"<html>") as url:
        source = Source(url)
        problem = source.ask("/").problem
        source.close()
    assert problem is not None and problem.trouble == "odd"


def test_nobody_there_is_a_value_and_an_impossible_address_is_refused() -> None:
    problem = Source("http://127.0.0.1:1").ask("/").problem
    assert problem is not None and problem.trouble == "unreachable"
    with pytest.raises(ValueError, match="ftp://x"):
        Source("ftp://x")


def test_the_feed_says_why_and_changes_nothing_without_a_gateway() -> None:
    def broken() -> None:
        raise OSError("the disk is on fire")

    feed = Feed("http://127.0.0.1:1", broken)
    problem = feed.ask("/api/overview").problem
    assert feed.kind == "none" and problem is not None and "the disk is on fire" in problem.message
    changed = feed.ask("/api/keys/x", method="DELETE").problem
    assert changed is not None and "nothing can be changed" in changed.message


def test_a_gateway_elsewhere_has_no_stand_in_here() -> None:
    def never() -> None:
        raise AssertionError("local files are not another machine's")

    assert Feed("http://gateway.invalid:1", never).ask("/").problem is not None
