"""When a rollout begins: a time with its zone, as people write it (ISO 8601)."""

from datetime import UTC, datetime

from ..errors import InvalidRequest

_MOST_MS = 366 * 86_400_000


def begins_ms(text: str, now_ms: int) -> int:
    """`InvalidRequest` for what is no time, has no zone, is over, or is more than a year away."""
    try:
        at = datetime.fromisoformat(text.strip())
    except ValueError:
        raise InvalidRequest(f"at: {text[:40]!r} is no time; write 2026-11-23T08:00Z", param="at") from None
    if at.tzinfo is None:
        raise InvalidRequest(f"at: {text[:40]!r} has no zone; write {at.isoformat()}Z, or +01:00", param="at")
    try:
        at_ms = round(at.astimezone(UTC).timestamp() * 1000)
    except (OverflowError, ValueError):
        raise InvalidRequest(f"at: {text[:40]!r} is out of reach", param="at") from None
    if not now_ms < at_ms <= now_ms + _MOST_MS:
        when = "over" if at_ms <= now_ms else "more than a year away"
        raise InvalidRequest(f"at: {text[:40]!r} is {when}; leave it out to begin now", param="at")
    return at_ms
