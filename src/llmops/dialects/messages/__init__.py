"""Anthropic's Messages dialect: ``POST /v1/messages``, as spoken by Anthropic and the servers that follow it."""

from ...types import Call, Outcome
from ..conversation import Conversation, Uncarried
from ..dialect import patch_fields
from . import errors, reply
from .request_reader import read_request
from .request_writer import write_request
from .stream_reader import MessagesStreamReader
from .stream_writer import MessagesStreamWriter
from .tap import MessagesTap
from .view import view


class MessagesDialect:
    """The `Dialect` of ``/v1/messages``."""

    name = "messages"

    view = staticmethod(view)
    tap_reply = staticmethod(reply.tap_reply)
    read_reply = staticmethod(reply.read_reply)
    write_reply = staticmethod(reply.write_reply)
    read_error = staticmethod(errors.read_error)
    write_error = staticmethod(errors.write_error)
    write_error_event = staticmethod(errors.write_error_event)

    def patch(self, body: bytes, model: str, *, ask_usage: bool) -> bytes:
        """Put ``model`` in. Usage is part of every stream of this dialect, so there is nothing to ask for."""
        return patch_fields(body, {"model": model})

    def read_request(self, body: bytes) -> Conversation:
        return read_request(body)

    def write_request(self, conversation: Conversation, model: str, uncarried: Uncarried) -> bytes:
        return write_request(conversation, model, uncarried)

    def tap_stream(self, call: Call, outcome: Outcome) -> MessagesTap:
        return MessagesTap(call, outcome)

    def stream_reader(self) -> MessagesStreamReader:
        return MessagesStreamReader()

    def stream_writer(self, call: Call) -> MessagesStreamWriter:
        return MessagesStreamWriter(call)


__all__ = ["MessagesDialect"]
