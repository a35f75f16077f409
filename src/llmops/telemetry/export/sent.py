"""What a tool's answer means for what was sent: taken, to be sent again, in smaller pieces, or not at all.

OTLP names the answers after which the same may be sent again (429, 502, 503, 504). Two more are waited for, because
dropping what was measured does not mend them: a refused credential and a wrong address are the operator's to change.
What fails in another way inside the tool (500) is tried a few times.
"""

from typing import Literal, NamedTuple

Verdict = Literal["taken", "again", "failed", "smaller", "refused"]
"""``again``: as often as it takes. ``failed``: a few times. ``smaller``: with less in it; a single one is refused."""

_AGAIN = frozenset({408, 425, 429, 502, 503, 504})
_OPERATORS = frozenset({401, 403, 404, 405, 407})
_LONGEST_S = 60.0
_FIRST_S = 0.5
_WORDS_CHARS = 200


class Sent(NamedTuple):
    """``refused`` of what was taken were not, says the tool."""

    verdict: Verdict
    refused: int = 0
    why: str = ""
    retry_after_s: float | None = None


TAKEN = Sent("taken")


def judged(status: int, retry_after: str | None, words: str) -> Sent:
    """The meaning of an HTTP status that is not 2xx. Redirects are not followed: a secret goes to one place alone."""
    why = f"HTTP {status}" + (f": {words[:_WORDS_CHARS]}" if words else "")
    if status in _AGAIN:
        return Sent("again", why=why, retry_after_s=_seconds(retry_after))
    if status in _OPERATORS or 300 <= status < 400:
        return Sent("again", why=why, retry_after_s=_LONGEST_S)
    if status >= 500:
        return Sent("failed", why=why, retry_after_s=_seconds(retry_after))
    return Sent("smaller", why=why)


def pause_s(failures: int, retry_after_s: float | None, luck: float) -> float:
    """How long to rest after so many failures in a row: twice as long each time, or what the tool asks where that is
    longer, and up to a half more by ``luck`` (0 to 1), so that many gateways do not come back at once."""
    grown_s = min(_FIRST_S * 2.0 ** min(max(failures - 1, 0), 20), _LONGEST_S)
    return max(grown_s, min(retry_after_s or 0.0, _LONGEST_S)) * (1 + luck / 2)


def _seconds(header: str | None) -> float | None:
    """``Retry-After`` in seconds; dates are not understood, the usual pause does."""
    if header is None or not header.strip().isascii():
        return None
    try:
        found = float(header)
    except ValueError:
        return None
    return found if 0 <= found < 1e9 else None
