"""The bytes on the wire: what the load generators send, and what the mock upstreams answer.

Every chunk of a stream carries the one-byte `MARK` exactly once and nothing else in a stream does, so a load generator
counts chunks with `bytes.count`, wherever a read happens to cut the stream. Usage is sent only to who asks for it, as
the real API does: a gateway that accounts for streams must ask, and its client must not see the answer.
"""

MODEL = "mock"
KEY = "sk-benchmark000-" + "0" * 48
"""In the form of our own keys, so that a gateway can be given it."""
PATH = "/v1/chat/completions"

STATS_PATH = b"/stats"
MARK = b"~"
END = b"0\r\n\r\n"
ASKS_USAGE = b'"include_usage":'

CHAT_BODY = (
    '{"model":"mock","messages":[{"role":"system","content":"You are a helpful assistant."},'
    '{"role":"user","content":"Hello, tell me something about gateways."}],"temperature":0.2,"max_tokens":64}'
)
STREAM_BODY = CHAT_BODY[:-1] + ',"stream":true}'

ANSWER = (
    b'{"id":"chatcmpl-1","object":"chat.completion","created":1700000000,"model":"mock","choices":[{"index":0,'
    b'"message":{"role":"assistant","content":"Hello there, how can I help you today?"},"finish_reason":"stop"}],'
    b'"usage":{"prompt_tokens":12,"completion_tokens":9,"total_tokens":21}}'
)
MODELS = b'{"object":"list","data":[{"id":"mock","object":"model","created":1700000000,"owned_by":"bench"}]}'
SERVER_INFO = b'{"model_path":"mock","tokenizer_path":"","is_generation":true,"served_model_name":"mock"}'

_HEAD = b'data: {"id":"chatcmpl-1","object":"chat.completion.chunk","created":1700000000,"model":"mock","choices":['
_CHOICE = b'{"index":0,"delta":%b,"finish_reason":%b}'

EVENT = _HEAD + _CHOICE % (b'{"content":"token ~"}', b"null") + b"]}\n\n"
FIRST = _HEAD + _CHOICE % (b'{"role":"assistant","content":"token ~"}', b"null") + b"]}\n\n"
LAST = _HEAD + _CHOICE % (b"{}", b'"stop"') + b"]}\n\n"
USAGE = _HEAD + b'],"usage":{"prompt_tokens":12,"completion_tokens":%d,"total_tokens":%d}}\n\n'
DONE = b"data: [DONE]\n\n"

STREAM_HEAD = b"HTTP/1.1 200 OK\r\ncontent-type: text/event-stream\r\ntransfer-encoding: chunked\r\n\r\n"


def framed(data: bytes) -> bytes:
    """One chunk of HTTP's chunked encoding."""
    return b"%x\r\n%b\r\n" % (len(data), data)


def response(body: bytes, status: bytes = b"200 OK") -> bytes:
    head = b"HTTP/1.1 %b\r\ncontent-type: application/json\r\ncontent-length: %d\r\n\r\n"
    return head % (status, len(body)) + body


def stream_end(chunks: int, *, usage: bool) -> bytes:
    """What follows the last content chunk of a stream."""
    counted = framed(USAGE % (chunks, chunks + 12)) if usage else b""
    return framed(LAST) + counted + framed(DONE) + END


def request(body: str) -> bytes:
    """A whole POST of ``body`` to the chat endpoint."""
    head = (
        f"POST {PATH} HTTP/1.1\r\nhost: 127.0.0.1\r\nauthorization: Bearer {KEY}\r\n"
        f"content-type: application/json\r\ncontent-length: {len(body)}\r\n\r\n"
    )
    return (head + body).encode()
