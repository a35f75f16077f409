"""OpenAI's Chat Completions dialect, as spoken by OpenAI, Azure and every compatible server."""

from typing import Any

from ...types import Call, Outcome
from ..conversation import Conversation, Uncarried
from ..dialect import patch_fields
from ..openai_errors import read_error, write_error, write_error_event
from . import reply, stream
from .request_reader import read_request
from .request_writer import write_request
from .view import view


class ChatDialect:
    """The `Dialect` of ``/v1/chat/completions``.

    ``max_tokens_field`` is the name the upstream wants for the output limit when a request is translated: OpenAI asks
    for ``max_completion_tokens``, compatible servers know ``max_tokens``. ``asks_usage`` False leaves out
    ``stream_options``, which a few servers refuse.
    """

    name = "chat"

    def __init__(self, max_tokens_field: str = "max_completion_tokens", *, asks_usage: bool = True) -> None:
        self._max_tokens_field = max_tokens_field
        self._asks_usage = asks_usage

    view = staticmethod(view)
    read_request = staticmethod(read_request)
    tap_reply = staticmethod(reply.tap_reply)
    read_reply = staticmethod(reply.read_reply)
    write_reply = staticmethod(reply.write_reply)
    read_error = staticmethod(read_error)
    write_error = staticmethod(write_error)
    write_error_event = staticmethod(write_error_event)

    def patch(self, body: bytes, model: str, *, ask_usage: bool) -> bytes:
        changes: dict[str, Any] = {"model": model}
        return patch_fields(body, changes, {"stream_options": {"include_usage": True}} if ask_usage else {})

    def write_request(self, conversation: Conversation, model: str, uncarried: Uncarried) -> bytes:
        return write_request(
            conversation, model, uncarried, max_tokens_field=self._max_tokens_field, asks_usage=self._asks_usage
        )

    def tap_stream(self, call: Call, outcome: Outcome) -> stream.ChatTap:
        return stream.ChatTap(call, outcome)

    def stream_reader(self) -> stream.ChatStreamReader:
        return stream.ChatStreamReader()

    def stream_writer(self, call: Call) -> stream.ChatStreamWriter:
        return stream.ChatStreamWriter(call)


__all__ = ["ChatDialect"]
