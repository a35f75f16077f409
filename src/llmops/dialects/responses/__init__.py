"""OpenAI's Responses dialect, as spoken by OpenAI, Azure and compatible servers (vLLM, Ollama …).

The gateway keeps no conversation state. Within the dialect everything passes through, so OpenAI's own state
(``previous_response_id``, ``conversation``) works there; a translated request must carry its whole history.
"""

from ...types import Call, Outcome
from ..dialect import patch_fields
from ..openai_errors import read_error, write_error
from . import reply
from .events import write_error_event
from .request_reader import read_request
from .request_writer import write_request
from .stream_reader import ResponsesStreamReader
from .stream_writer import ResponsesStreamWriter
from .tap import ResponsesTap
from .view import view


class ResponsesDialect:
    """The `Dialect` of ``/v1/responses``."""

    name = "responses"

    view = staticmethod(view)
    read_request = staticmethod(read_request)
    write_request = staticmethod(write_request)
    tap_reply = staticmethod(reply.tap_reply)
    read_reply = staticmethod(reply.read_reply)
    write_reply = staticmethod(reply.write_reply)
    read_error = staticmethod(read_error)
    write_error = staticmethod(write_error)
    write_error_event = staticmethod(write_error_event)

    def patch(self, body: bytes, model: str, *, ask_usage: bool) -> bytes:
        """Only the model changes: the terminal event of a stream always carries the usage, unasked."""
        return patch_fields(body, {"model": model})

    def tap_stream(self, call: Call, outcome: Outcome) -> ResponsesTap:
        return ResponsesTap(call, outcome)

    def stream_reader(self) -> ResponsesStreamReader:
        return ResponsesStreamReader()

    def stream_writer(self, call: Call) -> ResponsesStreamWriter:
        return ResponsesStreamWriter(call)


__all__ = ["ResponsesDialect"]
