"""A step of an application: a decorator for functions of every kind, or a context manager.

What a step says of itself it says in OpenTelemetry's GenAI names where there is one, and otherwise under ``llmops.``.
What was said (arguments, results, words of exceptions) is recorded only where the configuration asks for it.
"""

import asyncio
import json
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from types import TracebackType
from typing import Any, Literal, ParamSpec, TypeVar, get_args, overload

from opentelemetry import context as otel_context
from opentelemetry import trace
from opentelemetry.trace import Span, Status, StatusCode

from . import configuration
from .context import ATTRIBUTES, labels
from .wrapping import wrapped

P = ParamSpec("P")
R = TypeVar("R")

Kind = Literal[
    "chain", "retriever", "reranker", "embedding", "llm", "tool", "agent", "guardrail", "evaluator", "prompt"
]

KINDS: dict[str, Kind] = {
    **{kind: kind for kind in get_args(Kind)},
    "retrieve": "retriever",
    "search": "retriever",
    "rerank": "reranker",
    "embed": "embedding",
    "grade": "evaluator",
    "evaluate": "evaluator",
    "judge": "evaluator",
    "guard": "guardrail",
    "generate": "chain",
}
"""What a step's name says of its kind; other names are a chain. So is ``generate``: the gateway's call inside it is
the ``llm`` step, and tokens must not count twice."""

_OPERATIONS = {
    "retriever": "retrieval",
    "embedding": "embeddings",
    "llm": "chat",
    "tool": "execute_tool",
    "agent": "invoke_agent",
}
_NAMED = {"tool": "gen_ai.tool.name", "agent": "gen_ai.agent.name"}
_FACTS = ATTRIBUTES | {
    "model": "gen_ai.request.model",
    "provider": "gen_ai.provider.name",
    "prompt": "gen_ai.prompt.name",
    "input_tokens": "gen_ai.usage.input_tokens",
    "output_tokens": "gen_ai.usage.output_tokens",
}
_MAX_CONTENT_CHARS = 65_536


class Step:
    """A step under way. It ends with its block or its function."""

    def __init__(self, span: Span, captures: bool) -> None:
        self._span = span
        self._captures = captures

    def set(self, **facts: Any) -> None:
        """Say something of the step. ``model``, ``provider``, ``input_tokens``, ``output_tokens``, ``prompt``,
        ``session`` and the like go under the names that everybody knows, any other name stays as it is. It is recorded
        as given, whether or not content is captured."""
        for name, value in facts.items():
            if value is not None:
                self._span.set_attribute(_FACTS.get(name, name), _attribute(value))

    def set_input(self, value: Any) -> None:
        """What went in; recorded only where content is captured."""
        self._content("llmops.input", value)

    def set_output(self, value: Any) -> None:
        """What came out; recorded only where content is captured."""
        self._content("llmops.output", value)

    def fail(self, exc: BaseException) -> None:
        """The step has failed; an exception that leaves it does this by itself."""
        kind = type(exc)
        named = kind.__qualname__ if kind.__module__ == "builtins" else f"{kind.__module__}.{kind.__qualname__}"
        self._span.set_attribute("error.type", named)
        self._span.set_status(Status(StatusCode.ERROR, str(exc)[:1000] if self._captures else None))

    @contextmanager
    def current(self) -> Iterator[None]:
        """Steps that begin inside are parts of this one."""
        token = otel_context.attach(trace.set_span_in_context(self._span))
        try:
            yield
        finally:
            otel_context.detach(token)

    def end(self, exc: BaseException | None = None) -> None:
        if isinstance(exc, asyncio.CancelledError):
            self._span.set_attribute("llmops.cancelled", True)
        elif exc is not None and not isinstance(exc, GeneratorExit):  # nobody wanted the rest
            self.fail(exc)
        self._span.end()

    def _content(self, name: str, value: Any) -> None:
        if self._captures and self._span.is_recording():
            text = value if isinstance(value, str) else _json(value)
            self._span.set_attribute(name, text[:_MAX_CONTENT_CHARS])


class Opening:
    """A step to come: enter it, or decorate a function with it, each of whose calls is then a step."""

    def __init__(self, name: str, kind: Kind, facts: dict[str, Any]) -> None:
        self._name = name
        self._kind = kind
        self._facts = facts
        self._open: tuple[Step, Any] | None = None

    def begin(self) -> Step:
        """Begin the step without entering it; whoever does ends it."""
        about: dict[str, Any] = {"llmops.step": self._kind}
        if self._kind in _OPERATIONS:
            about["gen_ai.operation.name"] = _OPERATIONS[self._kind]
        if self._kind in _NAMED:
            about[_NAMED[self._kind]] = self._name
        for label, value in labels().items():
            about[ATTRIBUTES[label]] = value
        span = configuration.tracer().start_span(
            self._name, attributes=about, record_exception=False, set_status_on_exception=False
        )
        step = Step(span, configuration.captures_content())
        step.set(**self._facts)
        return step

    def __enter__(self) -> Step:
        if self._open is not None:
            raise RuntimeError(f"the step {self._name!r} is open already; open another with tracing.step(…)")
        step = self.begin()
        entered = step.current()
        entered.__enter__()
        self._open = step, entered
        return step

    def __exit__(
        self, kind: type[BaseException] | None, exc: BaseException | None, traceback: TracebackType | None
    ) -> None:
        assert self._open is not None
        (step, entered), self._open = self._open, None
        entered.__exit__(None, None, None)
        step.end(exc)

    def __call__(self, function: Callable[P, R]) -> Callable[P, R]:
        return wrapped(function, lambda: Opening(self._name, self._kind, self._facts).begin())


@overload
def step(name: Callable[P, R], /) -> Callable[P, R]: ...
@overload
def step(name: str, /, *, kind: Kind | None = None, **facts: Any) -> Opening: ...
def step(name: Any, /, *, kind: Kind | None = None, **facts: Any) -> Any:
    """``with tracing.step("grade") as step: …``, ``@tracing.step("retrieve")`` or just ``@tracing.step``.

    Decorates functions, coroutine functions, generators and asynchronous generators; a generator's step lasts from its
    first item to its last. ``kind`` is what the name says (`KINDS`) unless it is given; for ``facts`` see `Step.set`.
    """
    if not isinstance(name, str):
        return step(str(getattr(name, "__name__", "step")))(name)
    if kind is not None and kind not in get_args(Kind):
        raise ValueError(f"kind {kind!r} is none of {', '.join(get_args(Kind))}")
    return Opening(name, kind or KINDS.get(name, "chain"), facts)


def _attribute(value: Any) -> str | bool | int | float | list[str]:
    """What OTLP can carry; everything else as JSON."""
    if isinstance(value, (str, bool, float)) or (isinstance(value, int) and -(2**63) <= value < 2**63):
        return value
    if isinstance(value, (list, tuple)) and all(isinstance(each, str) for each in value):
        return list(value)
    return _json(value)


def _json(value: Any) -> str:
    try:
        return json.dumps(value, ensure_ascii=False, default=str)
    except (TypeError, ValueError, RecursionError):
        return f"<{type(value).__name__}>"
