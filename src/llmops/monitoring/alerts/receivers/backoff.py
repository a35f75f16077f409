"""When a letter that was not taken is tried again. Pure."""

_FIRST_S = 5.0
_LONGEST_S = 900.0
_JITTER = 0.2


def next_wait_s(attempts: int, asked_s: float | None, luck: float) -> float:
    """After so many attempts (from 1): 5 s, doubling up to 15 minutes, a fifth more or less by ``luck`` (0 to 1), and
    never less than what the receiver asked for."""
    wait_s = min(_LONGEST_S, _FIRST_S * 2.0 ** min(attempts - 1, 20))
    return max(wait_s * (1 - _JITTER + 2 * _JITTER * luck), asked_s or 0.0)
