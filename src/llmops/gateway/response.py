"""A response under uvicorn, written with one system call where it is complete, and without a regular expression for
each header.

uvicorn writes head and body apart and looks at every header twice with an expression; for short answers that is a sixth
of all a call costs. Here the head waits for the first part of the body, which the gateway always has at hand when it
begins to answer, and one look at the finished head tells that no header has smuggled in another line.
"""

from typing import Any

from uvicorn.protocols.http.httptools_impl import STATUS_LINE, RequestResponseCycle

from .asgi import Response

_BODILESS = frozenset({204, 304})


class GatewayResponse(RequestResponseCycle):
    """uvicorn's exchange of one request and response, with a ``send`` of its own. Takes over from uvicorn's by
    `take_over`, since uvicorn offers no way to name another class."""

    _head: bytes = b""

    @classmethod
    def take_over(cls, cycle: RequestResponseCycle) -> None:
        """Make ``cycle`` one of ours before anything is sent. Nothing is added to its state."""
        cycle.__class__ = cls

    async def send(self, message: Any) -> None:
        """Send an ASGI message; `RuntimeError` for one out of order, as uvicorn says it."""
        if self.flow.write_paused and not self.disconnected:
            await self.flow.drain()
        if self.disconnected:
            return
        kind = message["type"]
        if kind == "http.response.start" and not self.response_started:
            self.response_started = True
            self.waiting_for_100_continue = False
            self._head = self._write_head(message["status"], message.get("headers", ()))
        elif kind == "http.response.body" and self.response_started and not self.response_complete:
            self._write_body(message.get("body", b""), more=message.get("more_body", False))
        else:
            raise RuntimeError(f"the ASGI message {kind!r} is out of order")

    def send_at_once(self, response: Response) -> None:
        """Send a whole response before there is a task for the request; what is still to come of it is discarded."""
        self.response_started = True
        self.waiting_for_100_continue = False
        length = (b"content-length", b"%d" % len(response.body))
        self._head = self._write_head(response.status, [*response.headers, length])
        self._write_body(response.body, more=False)

    def _write_head(self, status: int, headers: Any) -> bytes:
        length: bytes | None = None
        headers = [*self.default_headers, *headers]
        for name, value in headers:
            if name == b"content-length":
                length = value
            elif name == b"connection" and value.lower() == b"close":
                self.keep_alive = False
        if not self.keep_alive:
            headers = [*(each for each in headers if each[0] != b"connection"), (b"connection", b"close")]
        if length is not None:
            self.chunked_encoding = False
            self.expected_content_length = int(length)
        elif self.scope["method"] != "HEAD" and status not in _BODILESS:
            self.chunked_encoding = True
            headers.append((b"transfer-encoding", b"chunked"))
        head = STATUS_LINE[status] + b"\r\n".join([*map(b": ".join, headers), b"\r\n"])
        if not len(headers) + 2 == head.count(b"\n") == head.count(b"\r"):
            raise RuntimeError("a response header holds a line break")
        return head

    def _write_body(self, body: bytes, *, more: bool) -> None:
        head, self._head = self._head, b""
        if self.scope["method"] == "HEAD":
            self.expected_content_length = 0
            body = b""
        elif self.chunked_encoding:
            if body:
                body = b"%x\r\n%b\r\n" % (len(body), body)
            if not more:
                body += b"0\r\n\r\n"
        else:
            self.expected_content_length -= len(body)
            if self.expected_content_length < 0 or (self.expected_content_length and not more):
                raise RuntimeError("the response is not as long as its content-length says")
        if head or body:
            self.transport.write(head + body)
        if not more:
            self.response_complete = True
            self.message_event.set()
            if not self.keep_alive:
                self.transport.close()
            self.on_response()
