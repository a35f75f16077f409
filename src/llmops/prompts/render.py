"""From a version and values to texts and messages: compiled once, rendered often.

A plain prompt is joined from its pieces, here and now; one of the engine Jinja is sent to a process and waited for, so
callers that must not block ask ``is_quick``. A placeholder's messages are put in as they were given.
"""

from collections.abc import Mapping, Sequence
from typing import Any, Protocol

import msgspec

from ..errors import InvalidRequest
from .prompt import Content, Message
from .template import MAX_OUTPUT_CHARS, Template
from .variables import MAX_VALUE_CHARS, Variable, check_declared, text_of, values_of

_MAX_MESSAGES = 1000


class Caps(msgspec.Struct, frozen=True):
    """In characters: of one value as text, and of a prompt when it is rendered."""

    value_chars: int = MAX_VALUE_CHARS
    output_chars: int = MAX_OUTPUT_CHARS


DEFAULT_CAPS = Caps()


class Sandbox(Protocol):
    """Renders templates of the engine Jinja; blocks."""

    def names(self, texts: Sequence[str]) -> frozenset[str]: ...
    def render(self, texts: Sequence[str], values: Mapping[str, Any], *, max_chars: int) -> list[str]: ...


class Rendered(msgspec.Struct, frozen=True):
    """What became of a prompt: one text, or messages as a chat request has them."""

    text: str | None
    messages: list[dict[str, Any]]


class Compiled:
    """A content ready to be rendered. Immutable; safe to share between threads."""

    def __init__(self, content: Content, sandbox: Sandbox | None = None) -> None:
        """``content`` is resolved. `InvalidRequest` for one that cannot be rendered, whatever the values."""
        self.content = content
        self._sandbox = sandbox
        self.is_quick = content.engine == "plain"
        self._templates = [Template(text) for text in content.texts] if self.is_quick else []
        self._names = frozenset().union(*(template.names for template in self._templates))
        self.variables = content.variables or {name: Variable() for name in sorted(self._names)}
        for each in _placeholders(content):
            self.variables = {**self.variables, each: Variable(type="list", required=False)}

    def check(self) -> None:
        """`InvalidRequest` for declarations that do not fit the templates; what is checked once, at publishing."""
        declared = self.content.variables
        names = self._names if self.is_quick or self._sandbox is None else self._sandbox.names(self.content.texts)
        for name, variable in declared.items():
            check_declared(name, variable)
        if declared:
            missing = sorted(names - set(declared))
            if missing:
                raise InvalidRequest(
                    f"the template uses {', '.join(map(repr, missing[:10]))}, which `variables` does not declare",
                    param="variables",
                )
        for name in _placeholders(self.content):
            if name in declared or name in names:
                raise InvalidRequest(f"{name!r} is a placeholder for messages and a variable as well", param="messages")

    def render(self, given: Mapping[str, Any], caps: Caps = DEFAULT_CAPS) -> Rendered:
        """`InvalidRequest` that names the variable which is unknown, missing, of the wrong type or too long."""
        values = values_of(self.variables, given, max_chars=caps.value_chars)
        if self.is_quick:
            said = {name: text_of(value) for name, value in values.items()}
            texts = []
            for template in self._templates:
                texts.append(template.render(said, max_chars=caps.output_chars))
        elif self._sandbox is None:
            raise InvalidRequest("Jinja templates are not rendered here", param="prompt")
        else:
            texts = self._sandbox.render(self.content.texts, values, max_chars=caps.output_chars)
        if self.content.kind == "text":
            return Rendered(texts[0], [])
        if sum(map(len, texts)) > caps.output_chars:
            raise InvalidRequest(
                f"the rendered prompt has {sum(map(len, texts)):,} characters; at most {caps.output_chars:,} are "
                "accepted",
                param="prompt",
            )
        messages: list[dict[str, Any]] = []
        for message, text in zip(self.content.messages, texts, strict=True):
            if message.placeholder is not None:
                messages += _given_messages(message.placeholder, values[message.placeholder])
            else:
                messages.append({"role": message.role, "content": text})
        return Rendered(None, messages)


def checked_content(content: Content) -> None:
    """`InvalidRequest` for what contradicts itself before any template is looked at."""
    if content.kind == "text":
        if content.messages:
            raise InvalidRequest("a text prompt has `text`, and no `messages`; say kind: chat", param="messages")
        if not content.text.strip():
            raise InvalidRequest("the prompt has no text", param="text")
        return
    if content.text:
        raise InvalidRequest("a chat prompt has `messages`, and no `text`", param="text")
    if not 0 < len(content.messages) <= _MAX_MESSAGES:
        raise InvalidRequest(f"a chat prompt has 1 to {_MAX_MESSAGES} messages", param="messages")
    for number, message in enumerate(content.messages):
        _check_message(message, f"messages[{number}]")


def _check_message(message: Message, where: str) -> None:
    if (message.placeholder is None) == (message.role is None):
        raise InvalidRequest(f"{where}: has a role and content, or a placeholder's name", param=where)
    if message.placeholder is not None and (message.content or not message.placeholder.isidentifier()):
        raise InvalidRequest(f"{where}: {message.placeholder[:60]!r} is no placeholder's name", param=where)


def _placeholders(content: Content) -> list[str]:
    return [each.placeholder for each in content.messages if each.placeholder is not None]


def _given_messages(name: str, given: Any) -> list[dict[str, Any]]:
    for each in given:
        if not (isinstance(each, dict) and isinstance(each.get("role"), str)):
            raise InvalidRequest(
                f"the placeholder {name!r} takes a list of messages, each with a role and content",
                param=f"prompt.variables.{name}",
            )
    return list(given)
