"""The client dialects by operation: each path of the data plane speaks exactly one."""

from collections.abc import Mapping

from ..types import Operation
from .chat import ChatDialect
from .count_tokens import CountTokensDialect
from .dialect import ClientDialect, Dialect
from .embeddings import EmbeddingsDialect
from .messages import MessagesDialect
from .responses import ResponsesDialect

_CHAT, _RESPONSES, _MESSAGES = ChatDialect(), ResponsesDialect(), MessagesDialect()

DIALECTS: Mapping[Operation, ClientDialect] = {
    "chat": _CHAT,
    "responses": _RESPONSES,
    "messages": _MESSAGES,
    "count_tokens": CountTokensDialect(),
    "embeddings": EmbeddingsDialect(),
}

#: Those that can be translated into one another.
CONVERSATIONAL: Mapping[Operation, Dialect] = {"chat": _CHAT, "responses": _RESPONSES, "messages": _MESSAGES}
