"""``x-ratelimit-*`` headers in OpenAI's form: the size of the tightest rate, what is left, and when it is whole again.

Reset times are written as OpenAI's are: ``120ms``, ``6s``, ``1m30s``.
"""

from ..types import Allowance, Headroom
from .asgi import Headers


def limit_headers(headroom: Headroom) -> Headers:
    """The headers for what a caller has left; those of a rate that does not apply are absent."""
    headers: Headers = []
    if headroom.requests is not None:
        headers += _of(headroom.requests, b"requests")
    if headroom.tokens is not None:
        headers += _of(headroom.tokens, b"tokens")
    return headers


def _of(allowance: Allowance, unit: bytes) -> Headers:
    return [
        (b"x-ratelimit-limit-" + unit, b"%d" % allowance.limit),
        (b"x-ratelimit-remaining-" + unit, b"%d" % allowance.remaining),
        (b"x-ratelimit-reset-" + unit, duration(allowance.reset_s)),
    ]


def duration(seconds: float) -> bytes:
    """A time span in OpenAI's notation, rounded up to milliseconds below a second and to seconds above."""
    if seconds < 1:
        return b"%dms" % -(-seconds * 1000 // 1) if seconds > 0 else b"0s"
    minutes, rest = divmod(int(-(-seconds // 1)), 60)
    hours, minutes = divmod(minutes, 60)
    parts = ((hours, b"h"), (minutes, b"m"), (rest, b"s"))
    return b"".join(b"%d%s" % part for part in parts if part[0])
