"""``x-ratelimit-*`` headers in OpenAI's form: the size of the tightest rate, what is left, and when it is whole again.

Reset times are written as OpenAI's are: ``120ms``, ``6s``, ``1m30s``.
"""

from math import ceil

from ..types import Headroom
from .asgi import Headers


def limit_headers(headroom: Headroom) -> Headers:
    """The headers for what a caller has left; those of a rate that does not apply are absent."""
    headers: Headers = []
    if (requests := headroom.requests) is not None:
        headers += [
            (b"x-ratelimit-limit-requests", b"%d" % requests.limit),
            (b"x-ratelimit-remaining-requests", b"%d" % requests.remaining),
            (b"x-ratelimit-reset-requests", duration(requests.reset_s)),
        ]
    if (tokens := headroom.tokens) is not None:
        headers += [
            (b"x-ratelimit-limit-tokens", b"%d" % tokens.limit),
            (b"x-ratelimit-remaining-tokens", b"%d" % tokens.remaining),
            (b"x-ratelimit-reset-tokens", duration(tokens.reset_s)),
        ]
    return headers


def duration(seconds: float) -> bytes:
    """A time span in OpenAI's notation, rounded up to milliseconds below a second and to seconds above."""
    if seconds < 1:
        return b"%dms" % ceil(seconds * 1000) if seconds > 0 else b"0s"
    minutes, rest = divmod(ceil(seconds), 60)
    hours, minutes = divmod(minutes, 60)
    parts = ((hours, b"h"), (minutes, b"m"), (rest, b"s"))
    return b"".join(b"%d%s" % part for part in parts if part[0])
