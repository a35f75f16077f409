"""The cache as the control plane sees it: shown, and answers let go of by what they are known by."""

from typing import Any

import msgspec

from ..store.answers.labels import Selector
from .cache import Cache


def show_cache(cache: Cache) -> dict[str, Any]:
    """Where answers are kept and how many, what has gone, and the calls under way that others may share."""
    view: dict[str, Any] = msgspec.to_builtins(cache.answers.view())
    if cache.semantic is not None:
        view["semantic"] = cache.semantic.view()
    return {**view, "unreadable": cache.unreadable, "too_large": cache.too_large, "under_way": len(cache.flights)}


async def let_go(cache: Cache, named: dict[str, str]) -> dict[str, Any]:
    """Give none of the answers out any more that agree in all that is named; ``gone`` None: how many is not known.

    Raises `StoreUnavailable` where it cannot be made to hold.
    """
    return {"selector": named, "gone": await cache.invalidate(Selector(**named))}
