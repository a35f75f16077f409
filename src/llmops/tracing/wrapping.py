"""Functions whose calls are steps: plain ones, coroutines, generators and asynchronous generators.

A generator's body is inside its step while it runs, and not while it waits for its reader: between two items the
reader's own steps are nobody's parts but its own.
"""

import inspect
from collections.abc import AsyncGenerator, Callable, Generator
from functools import partial, wraps
from typing import Any, ParamSpec, Protocol, TypeVar, cast

P = ParamSpec("P")
R = TypeVar("R")


class _Step(Protocol):
    def set_input(self, value: Any) -> None: ...
    def set_output(self, value: Any) -> None: ...
    def current(self) -> Any: ...
    def end(self, exc: BaseException | None = None) -> None: ...


Begin = Callable[[], _Step]


def wrapped(function: Callable[P, R], begin: Begin) -> Callable[P, R]:
    """``function``, each of whose calls runs inside a step that ``begin`` makes."""
    if inspect.isasyncgenfunction(function):
        made: Any = _async_generator(function, begin)
    elif inspect.iscoroutinefunction(function):
        made = _coroutine(function, begin)
    elif inspect.isgeneratorfunction(function):
        made = _generator(function, begin)
    else:
        made = _plain(function, begin)
    return cast(Callable[P, R], wraps(function)(made))


def _begun(begin: Begin, args: tuple[Any, ...], kwargs: dict[str, Any]) -> _Step:
    step = begin()
    step.set_input({"args": args, **kwargs} if args else kwargs)
    return step


def _plain(function: Callable[..., Any], begin: Begin) -> Callable[..., Any]:
    def call(*args: Any, **kwargs: Any) -> Any:
        step = _begun(begin, args, kwargs)
        try:
            with step.current():
                result = function(*args, **kwargs)
        except BaseException as exc:
            step.end(exc)
            raise
        step.set_output(result)
        step.end()
        return result

    return call


def _coroutine(function: Callable[..., Any], begin: Begin) -> Callable[..., Any]:
    async def call(*args: Any, **kwargs: Any) -> Any:
        step = _begun(begin, args, kwargs)
        try:
            with step.current():
                result = await function(*args, **kwargs)
        except BaseException as exc:
            step.end(exc)
            raise
        step.set_output(result)
        step.end()
        return result

    return call


def _generator(function: Callable[..., Any], begin: Begin) -> Callable[..., Any]:
    def call(*args: Any, **kwargs: Any) -> Generator[Any, Any, Any]:
        step = _begun(begin, args, kwargs)
        inner = function(*args, **kwargs)
        resume: Callable[[], Any] = partial(next, inner)
        try:
            while True:
                with step.current():
                    item = resume()
                try:
                    resume = partial(inner.send, (yield item))
                except GeneratorExit:
                    with step.current():
                        inner.close()
                    raise
                except BaseException as exc:  # noqa: BLE001 - thrown in by the reader, for the body to see
                    resume = partial(inner.throw, exc)
        except StopIteration as stop:
            step.end()
            return stop.value
        except BaseException as exc:
            step.end(exc)
            raise

    return call


def _async_generator(function: Callable[..., Any], begin: Begin) -> Callable[..., Any]:
    async def call(*args: Any, **kwargs: Any) -> AsyncGenerator[Any, Any]:
        step = _begun(begin, args, kwargs)
        inner = function(*args, **kwargs)
        resume: Callable[[], Any] = partial(anext, inner)
        try:
            while True:
                with step.current():
                    item = await resume()
                try:
                    resume = partial(inner.asend, (yield item))
                except GeneratorExit:
                    with step.current():
                        await inner.aclose()
                    raise
                except BaseException as exc:  # noqa: BLE001 - as above
                    resume = partial(inner.athrow, exc)
        except StopAsyncIteration:
            step.end()
        except BaseException as exc:
            step.end(exc)
            raise

    return call
