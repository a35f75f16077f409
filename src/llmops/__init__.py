"""LLMOps Lab: the gateway that every model call goes through, and what makes those calls observable and affordable.

From Python, without a server::

    from llmops import Stack, load_settings

    async with Stack(load_settings()) as stack:
        reply = await stack.call("chat", {"model": "mock", "messages": [{"role": "user", "content": "Hi"}]})

Importing the package loads nothing else; each name below is loaded when it is first used.
"""

from importlib import import_module
from typing import TYPE_CHECKING, Any

from .version import __version__

if TYPE_CHECKING:
    from .app import Stack
    from .config import load_settings
    from .settings import Settings

__all__ = ["Settings", "Stack", "__version__", "load_settings"]

_HOMES = {"Settings": "settings", "Stack": "app", "load_settings": "config"}


def __getattr__(name: str) -> Any:
    if name not in _HOMES:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    value = globals()[name] = getattr(import_module(f".{_HOMES[name]}", __name__), name)
    return value


def __dir__() -> list[str]:
    return sorted({*globals(), *__all__})
