"""How long the steps of a call took, as text for the column ``timings`` of ``calls``: its spans are derived from it."""

from collections.abc import Sequence

import msgspec

from ..record import FailedAttemptRecord, Timings


class CallTimings(Timings, frozen=True, kw_only=True, omit_defaults=True, gc=False):
    """`Timings`, and the attempts that failed."""

    failed: list[FailedAttemptRecord] = []  # noqa: RUF012 - a struct copies its defaults


_encode = msgspec.json.Encoder().encode
_decode = msgspec.json.Decoder(CallTimings).decode
NOTHING_KNOWN = CallTimings()


def timings_text(timings: Timings | None, failed: Sequence[FailedAttemptRecord]) -> str | None:
    """None where nothing is known."""
    if not failed:
        return None if timings is None else _encode(timings).decode()
    fields = msgspec.structs.asdict(timings) if timings is not None else {}
    return _encode(CallTimings(**fields, failed=list(failed))).decode()


def timings_of(text: str | None) -> CallTimings:
    """What such a text says; what is none says nothing."""
    if text is None:
        return NOTHING_KNOWN
    try:
        return _decode(text)
    except (msgspec.DecodeError, UnicodeError, RecursionError):
        return NOTHING_KNOWN
