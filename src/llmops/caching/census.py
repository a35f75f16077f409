"""The cache's store as numbers for the metrics. Only reads, so that any thread may ask."""

from ..telemetry.cache_figures import CacheFigures
from .cache import Cache


def cache_figures(cache: Cache) -> CacheFigures:
    """What lies in the store of this process, and what became of what lay there."""
    view = cache.answers.view()
    removed = {"evicted": view.evicted, "expired": view.expired, "invalidated": view.invalidated}
    return CacheFigures(
        entries=view.entries or 0,
        bytes=view.bytes or 0,
        flights=len(cache.flights),
        removed=removed if any(removed.values()) else {},
        unreadable=cache.unreadable,
        too_large=cache.too_large,
    )
