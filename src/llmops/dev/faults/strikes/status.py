"""Answers that are no success by their status, with and without a hint how long to wait."""

import time
from collections.abc import Awaitable, Callable
from email.utils import formatdate

from ..answer import error_body
from ..wire import Wire

Strike = Callable[[Wire], Awaitable[None]]

_DATE_AHEAD_S = 2
_LINK_LOCAL = "http://169.254.169.254/latest/meta-data/"
"""Where clouds keep the credentials of a machine: what follows this redirect may hand them out."""


def fail(status: int, message: str) -> Strike:
    """The strike that answers with this status and an error object."""

    async def strike(wire: Wire) -> None:
        await wire.answer(status, error_body(message))

    return strike


def slow_down(**hints: str) -> Strike:
    """429 with these headers, ``_`` for ``-``."""
    headers = {name.replace("_", "-"): value for name, value in hints.items()}

    async def strike(wire: Wire) -> None:
        message = error_body("Rate limit reached for requests", "requests", "rate_limit_exceeded")
        await wire.answer(429, message, headers)

    return strike


async def slow_down_until(wire: Wire) -> None:
    """429 with a date."""
    await slow_down(retry_after=formatdate(time.time() + _DATE_AHEAD_S, usegmt=True))(wire)


async def redirect(wire: Wire) -> None:
    await wire.answer(307, b"", {"location": _LINK_LOCAL})


async def explain_dns(wire: Wire) -> None:
    """A name that does not resolve cannot be answered from here."""
    await wire.answer(
        400, error_body("no server can play this fault: set the deployment's base_url to http://faults.invalid/v1")
    )
