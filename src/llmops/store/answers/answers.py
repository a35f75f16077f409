"""What a store of answers offers, whichever it is.

Nothing here fails a call: a store that cannot be reached gives nothing and keeps nothing. An answer counts as of
``began_s``, when its call came: what was invalidated since is not kept, however late it arrives. Expiry is exact by the
clock that the store was given, not by when it tidies up. Times are seconds since the epoch.
"""

from collections.abc import Awaitable
from typing import Protocol

import msgspec

from .labels import Labels, Selector


class AnswersView(msgspec.Struct, frozen=True, kw_only=True):
    """A store as an operator sees it. ``entries`` and ``bytes`` None: they cannot be told cheaply."""

    kind: str
    entries: int | None
    bytes: int | None
    evicted: int = 0
    expired: int = 0
    invalidated: int = 0
    lost: str | None = None
    """Why it cannot be reached, while it cannot."""


class Answers(Protocol):
    """Opaque bytes under opaque keys. A look-up may answer later; the embedded store never does."""

    def get(self, key: bytes) -> bytes | Awaitable[bytes | None] | None: ...

    def put(self, key: bytes, data: bytes, labels: Labels, *, began_s: float, expires_s: float) -> None:
        """Keep an answer until ``expires_s``, unless something invalidated it since ``began_s``. Does not wait."""
        ...

    async def invalidate(self, selector: Selector) -> int | None:
        """From now on give none of the selected answers out; how many there were, None where that is not known.

        Raises `StoreUnavailable` where it cannot be made to hold.
        """
        ...

    def view(self) -> AnswersView: ...
