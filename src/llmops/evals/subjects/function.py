"""A Python callable as the subject: async, or sync in a thread. It returns a text, plain data, or an `Output`.

It is given the case's input, or the `Case` itself where its first parameter is called ``case`` or says ``: Case``.
A sync function that outlasts its case's time cannot be stopped; its cell fails with ``timeout``, and its thread is lost
to the run.
"""

import inspect
from collections.abc import Callable, Mapping
from typing import Any

import msgspec

from ..case import Case
from ..output import Output
from .threads import Threads

_MOST_THREADS = 64


class FunctionSubject:
    """``inline`` calls a sync function on the event loop: for one that only computes, and that shortly."""

    def __init__(
        self,
        function: Callable[..., Any],
        *,
        name: str | None = None,
        version: str | None = None,
        inline: bool = False,
        threads: int = _MOST_THREADS,
    ) -> None:
        self._function = function
        self._is_async = inspect.iscoroutinefunction(function) or inspect.iscoroutinefunction(
            getattr(function, "__call__", None)  # noqa: B004 - an object whose __call__ is a coroutine function
        )
        self._takes_case = _takes_case(function)
        self._threads = None if inline or self._is_async else Threads(threads)
        self._versions = {"function": name or _name_of(function)}
        if version is not None:
            self._versions["function_version"] = version

    @property
    def versions(self) -> Mapping[str, str]:
        return self._versions

    async def answer(self, case: Case, repeat: int) -> Output:
        given = case if self._takes_case else case.input
        if self._threads is not None:
            value = await self._threads.run(self._function, given)
        else:
            value = self._function(given)
        if inspect.isawaitable(value):
            value = await value
        return output_of(value)


def output_of(value: Any) -> Output:
    """What a callable returned. A mapping's ``text`` is the answer's text; `TypeError` for what is no data."""
    if isinstance(value, str):
        return Output(text=value)
    if isinstance(value, Output):
        return value
    data = msgspec.to_builtins(value)
    text = data.get("text") if isinstance(data, dict) else None
    return Output(data=data, text=text if isinstance(text, str) else None)


def _takes_case(function: Callable[..., Any]) -> bool:
    try:
        first = next(iter(inspect.signature(function).parameters.values()), None)
    except (TypeError, ValueError):  # a builtin that does not tell
        return False
    if first is None:
        return False
    annotation = first.annotation
    return first.name == "case" or annotation is Case or annotation in ("Case", "case.Case", "evals.Case")


def _name_of(function: Callable[..., Any]) -> str:
    kind = function if hasattr(function, "__qualname__") else type(function)
    return f"{kind.__module__}:{kind.__qualname__}"
