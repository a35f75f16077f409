"""The way back through a list: which page a reader came from to the one that a cursor names.

A cursor leads on and not back, and what a browser tab knows is gone after a reload; so this process remembers, for
each reader and some thousands of pages, where "Newer" leads. What it has forgotten, or another reader has walked, it
does not know: then the way is to the first page. Holds no keys: a digest of one is enough.
"""

import hashlib
import threading
from collections import OrderedDict

_MOST = 20_000


class WayBack:
    """Shared by all readers. An empty cursor is the first page."""

    def __init__(self, most: int = _MOST) -> None:
        self._came_from: OrderedDict[bytes, str] = OrderedDict()
        self._most = most
        self._lock = threading.Lock()

    def note(self, reader: str, cursor: str, before: str) -> None:
        """The page ``cursor`` follows ``before``."""
        place = _place(reader, cursor)
        with self._lock:
            self._came_from[place] = before
            self._came_from.move_to_end(place)
            while len(self._came_from) > self._most:
                self._came_from.popitem(last=False)

    def before(self, reader: str, cursor: str) -> str | None:
        """The page before; None where the way is not known."""
        with self._lock:
            return self._came_from.get(_place(reader, cursor))


def _place(reader: str, cursor: str) -> bytes:
    return hashlib.blake2b(f"{len(reader)}:{reader}{cursor}".encode(errors="surrogatepass"), digest_size=20).digest()


WAY_BACK = WayBack()
"""Of this process."""
