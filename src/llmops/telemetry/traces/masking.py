"""Taking captured text out of a span: what people wrote and models answered goes, everything else stays.

Known attributes are masked by their names. Of the others every long text is masked, since nobody can say what an
application puts into attributes of its own; short ones are names and numbers. What was there shows by its length.
"""

import re
from typing import Any

import msgspec

from ..spans.span import Attributes, Span

_LONG_CHARS = 200
_TEXTS = re.compile(
    r"gen_ai\.(prompt|completion|input\.messages|output\.messages|system_instructions|tool\.definitions"
    r"|tool\.call\.(arguments|result)|content\.|retrieval\.(documents|query))"
    r"|llm\.(input_messages|output_messages|prompts|completions|prompt_template|tools|function_call|request\.messages)"
    r"|(input|output)\.value|traceloop\.(entity\.(input|output)|prompt\.template)|embedding\.(embeddings|text)"
    r"|(retrieval|reranker)\..*document|tool\.(parameters|json_schema)|tool_call\.function\.arguments"
    r"|mlflow\.span(Inputs|Outputs)|langfuse\.(observation|trace)\.(input|output)|(^|[._])(content|message|messages|text)$"
)
_KEPT = re.compile(r"exception\.|(^|\.)(id|name|version|model|url|address)$")


def masked(span: Span) -> Span:
    """The span without captured text."""
    return msgspec.structs.replace(
        span,
        attributes=_masked(span.attributes),
        events=[msgspec.structs.replace(event, attributes=_masked(event.attributes)) for event in span.events],
        links=[msgspec.structs.replace(link, attributes=_masked(link.attributes)) for link in span.links],
    )


def _masked(attributes: Attributes) -> Attributes:
    return {key: _value(key, value) for key, value in attributes.items()}


def _value(key: str, value: Any) -> Any:
    if isinstance(value, str):
        return _mask(value) if _is_text(key, value) else value
    if isinstance(value, bytes):
        return _mask(value)
    if isinstance(value, list):
        return [_value(key, each) for each in value]
    if isinstance(value, dict):
        named = _TEXTS.search(key)
        return {inner: _value(key if named else inner, each) for inner, each in value.items()}
    return value


def _is_text(key: str, value: str) -> bool:
    if value.startswith("[masked:"):
        return False
    if _KEPT.search(key):
        return key.startswith("exception.") and len(value) > _LONG_CHARS
    return len(value) > _LONG_CHARS or bool(_TEXTS.search(key))


def _mask(value: str | bytes) -> str:
    return f"[masked: {len(value)} characters]"
