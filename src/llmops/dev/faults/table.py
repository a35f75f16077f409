"""The table of faults: thirty kinds, some in several variants. What is not here cannot strike."""

from collections.abc import Awaitable, Callable
from difflib import get_close_matches

from .fault import Expectation, Fault
from .strikes import body, connection, status, stream
from .wire import Wire

TLS, DNS = "tls-failure", "dns-failure"
"""The two that need another address than this server's own over HTTP."""
Strike = Callable[[Wire], Awaitable[None]]


def _both(kind: str, name: str, summary: str, strike: Strike, *, heavy: bool = False, chance: bool = True) -> Fault:
    """Before the commit point, in both forms of an answer."""
    return Fault(
        name=name, kind=kind, summary=summary, strike=strike, stream="fallback", complete="fallback",
        heavy=heavy, by_chance=chance,
    )  # fmt: skip


def _as_is(kind: str, name: str, summary: str, strike: Strike) -> Fault:
    """Harmless in both forms."""
    return Fault(name=name, kind=kind, summary=summary, strike=strike, stream="pass", complete="pass")


def _late(kind: str, name: str, summary: str, strike: Strike) -> Fault:
    """After the commit point in a stream; an answer in one piece is not there yet, and can come from elsewhere."""
    return Fault(name=name, kind=kind, summary=summary, strike=strike, stream="error", complete="fallback")


def _stream(kind: str, name: str, summary: str, strike: Strike, expected: Expectation, *, heavy: bool = False) -> Fault:
    """Of streams only."""
    return Fault(name=name, kind=kind, summary=summary, strike=strike, stream=expected, complete=None, heavy=heavy)


_LIMIT, _SERVER = "too many requests", "server error"

_ALL = (
    # connections
    _both("reset before headers", "rst-before-headers", "RST in place of an answer", connection.reset_before_headers),
    _both("reset after headers", "rst-after-headers", "200, headers, RST", connection.reset_after_headers),
    _late("reset in the middle", "rst-mid-stream", "half an answer, RST", connection.reset_in_the_middle),
    _both("half-open", "half-open", "200, headers, then nothing and no FIN", connection.half_open),
    _both("silent", "silent", "accepts, reads, never answers", connection.silence),
    _both("slowloris", "slowloris", "a healthy answer at one byte a second", connection.drip),
    _late("stall", "stall-after-tokens", "half an answer, then silence", connection.stall),
    _late("wrong content-length", "wrong-content-length", "a length that is too small", connection.understate_length),
    _as_is("HTTP/1.0", "http10-close", "HTTP/1.0: neither length nor chunks", connection.speak_http10),
    _both("TLS failure", TLS, "a TLS alert in place of a handshake (https:// to this port)", connection.fail_tls),
    _both("DNS failure", DNS, "a host that does not resolve", status.explain_dns, chance=False),
    # statuses
    _both(_LIMIT, "http-429", "429 without a hint", status.slow_down()),
    _both(_LIMIT, "http-429-seconds", "429, Retry-After: 1", status.slow_down(retry_after="1")),
    _both(_LIMIT, "http-429-ms", "429, retry-after-ms: 250", status.slow_down(retry_after_ms="250")),
    _both(_LIMIT, "http-429-date", "429, Retry-After: a date two seconds ahead", status.slow_down_until),
    _both(_LIMIT, "http-429-absurd", "429, Retry-After: 1000000000", status.slow_down(retry_after="1000000000")),
    _both(_SERVER, "http-500", "500, an error object", status.fail(500, "The server had an error")),
    _both(_SERVER, "http-502", "502, an error object", status.fail(502, "Bad gateway")),
    _both(_SERVER, "http-503", "503, an error object", status.fail(503, "The engine is currently unavailable")),
    _both(_SERVER, "http-504", "504, an error object", status.fail(504, "The request timed out")),
    _both(_SERVER, "http-529", "529, an error object", status.fail(529, "Overloaded")),
    _both("redirect", "redirect-link-local", "307 to a cloud's metadata service", status.redirect),
    # bodies
    _both("HTML", "html-200", "200 with a page to sign in", body.send_html),
    _both("garbage JSON", "garbage-json", "200 with bytes that are no JSON", body.send_garbage),
    _late("truncated JSON", "truncated-json", "JSON that stops in the middle; in a stream one event", body.cut_json),
    _both("gzip bomb", "gzip-bomb", "256 KB that unpack to 256 MB", body.send_bomb, heavy=True),
    Fault(
        name="body-10mb", kind="10 MB body", summary="a healthy answer of ten megabytes", strike=body.send_large,
        stream=None, complete="pass", heavy=True,
    ),
    _as_is("trailing garbage", "trailing-garbage", "bytes behind the end of the answer", body.add_garbage),
    _as_is("missing usage", "missing-usage", "no usage, asked for or not", body.omit_usage),
    _as_is("negative usage", "negative-usage", "usage below zero", body.negate_usage),
    # streams
    _stream("10 MB line", "sse-line-10mb", "one event of ten megabytes", stream.send_large_line, "pass", heavy=True),
    _stream("no [DONE]", "sse-without-done", "ends after finish_reason", stream.omit_done, "pass"),
    _as_is("split UTF-8", "split-utf8", "characters cut in two by chunks", stream.split_characters),
    _stream("line ends", "crlf-cr-mix", "CRLF, CR and LF by turns", stream.mix_line_ends, "pass"),
    _both("error event first", "error-event-first", "200 that is an error object", stream.report_error_first),
    _stream("error event mid", "error-event-mid", "an error event after words", stream.report_error_later, "error"),
    _stream("duplicate chunks", "duplicate-chunks", "role, end, usage, [DONE] twice", stream.send_twice, "pass"),
    _stream("tool-call split", "tool-call-split", "arguments in crumbs of 3 letters", stream.split_tool_call, "pass"),
)  # fmt: skip

FAULTS: dict[str, Fault] = {fault.name: fault for fault in _ALL}


def fault_named(name: str) -> Fault:
    """The fault of that name; `KeyError` with a message that names the nearest ones."""
    found = FAULTS.get(name)
    if found is None:
        near = get_close_matches(name, FAULTS, n=3, cutoff=0.3) or list(FAULTS)
        raise KeyError(f"there is no fault {name[:60]!r}; did you mean {', '.join(near)}?")
    return found
