"""What one fault is: its name, where it strikes, and what a gateway with one healthy fallback should make of it.

The commit point is the first content-bearing event of a stream, or the complete body of an answer that is none: until
then nothing has reached the client, so the call can go elsewhere; after it the client has to be told.
"""

from collections.abc import Awaitable, Callable
from typing import Literal

import msgspec

from .wire import Wire

Expectation = Literal["fallback", "error", "pass"]

EXPECTATIONS: dict[Expectation, str] = {
    "fallback": "strikes before the commit point: the fallback answers, and the client notices nothing",
    "error": "strikes after the commit point: the client gets an explicit error event, and no second beginning",
    "pass": "harmless: the answer is whole, and reaches the client as it is (a fallback's is as good)",
}


class Fault(msgspec.Struct, frozen=True, kw_only=True):
    """One way to fail. ``stream`` and ``complete`` are the expectations for the two forms of an answer; None: the fault
    does not exist in that form, and such a request is answered in good health."""

    name: str
    kind: str
    """Which of the thirty kinds it is; variants share one."""
    summary: str
    stream: Expectation | None
    complete: Expectation | None
    strike: Callable[[Wire], Awaitable[None]]
    by_chance: bool = True
    """Whether it may strike a request that did not ask for it."""
    heavy: bool = False
    """Megabytes a call: rehearse it less often."""

    def expectation(self, *, stream: bool) -> Expectation | None:
        return self.stream if stream else self.complete
