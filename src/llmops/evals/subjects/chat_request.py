"""A case as a chat request, whatever asks it: the pipeline in-process or an endpoint over HTTP.

A text is one user message, a list is the messages, and an object fills the ``template`` (``{question}``), without one
its ``messages``. What a case says under ``metadata.request`` goes into its request, such as a response format.
"""

import string
from collections.abc import Mapping
from typing import Any

import msgspec

from ...errors import InvalidRequest
from ..case import Case


class ChatRequest(msgspec.Struct, frozen=True, kw_only=True):
    model: str
    system: str | None = None
    template: str | None = None
    params: dict[str, Any] = {}
    """``temperature``, ``max_tokens`` and whatever else the model takes."""
    stream: bool = False
    """Ask for a stream, so that the time to its first content is known."""

    def body(self, case: Case) -> dict[str, Any]:
        """`InvalidRequest` for an input that is no request."""
        own = case.metadata.get("request")
        return {
            "model": self.model,
            "messages": self._messages(case),
            **self.params,
            **({"stream": True, "stream_options": {"include_usage": True}} if self.stream else {}),
            **(own if isinstance(own, dict) else {}),
        }

    def _messages(self, case: Case) -> list[Any]:
        given = case.input
        if self.template is not None:
            variables = given if isinstance(given, dict) else {"input": given}
            said: Any = [{"role": "user", "content": fill(self.template, variables)}]
        elif isinstance(given, dict):
            said = given.get("messages")
        else:
            said = [{"role": "user", "content": given}] if isinstance(given, str) else given
        if not isinstance(said, list) or not said:
            raise InvalidRequest(
                f"the input of case {case.id!r} is a {type(given).__name__}: it must be a text, a list of messages, or "
                "an object for the subject's template"
            )
        return [{"role": "system", "content": self.system}, *said] if self.system is not None else said


class _Filling(string.Formatter):
    """Names alone: no attribute, index or call of a value can be reached from a template."""

    def get_field(self, field_name: str, args: Any, kwargs: Any) -> Any:
        if field_name not in kwargs:
            raise InvalidRequest(f"the template needs {field_name!r}; the input has {sorted(kwargs)!r}")
        return kwargs[field_name], field_name


def fill(template: str, variables: Mapping[str, Any]) -> str:
    """The template with its ``{names}`` filled in; what is no text as JSON. ``{{`` and ``}}`` stand for braces."""
    texts = {
        name: value if isinstance(value, str) else msgspec.json.encode(value).decode()
        for name, value in variables.items()
    }
    try:
        return _Filling().vformat(template, (), texts)
    except ValueError as exc:
        raise InvalidRequest(
            f"the template {template[:80]!r} cannot be used: {exc}; braces are written {{{{ }}}}"
        ) from exc
