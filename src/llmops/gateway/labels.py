"""What a caller says about a call in headers of ours: for which user, for what purpose, how urgent.

``x-llmops-user: alice``, ``x-llmops-tags: feature=search, env=prod``, ``x-llmops-priority: low|normal|high``, which
conversation it is part of: ``x-llmops-session: …``; under which feature flags it is made: ``x-llmops-flags:
new-search=on``; and that no last resort will do: ``x-llmops-degrade: never``.
"""

import re
from typing import get_args

from ..errors import InvalidRequest
from ..types import Call, Priority

USER = b"x-llmops-user"
TAGS = b"x-llmops-tags"
PRIORITY = b"x-llmops-priority"
DEGRADE = b"x-llmops-degrade"
SESSION = b"x-llmops-session"
FLAGS = b"x-llmops-flags"
_MAX_TAGS = 10
_MAX_USER_CHARS = 256
_MAX_SESSION_CHARS = 256
_NAME = re.compile(r"[A-Za-z0-9_.-]{1,40}")
_FLAG = re.compile(r"[A-Za-z0-9_.-]{1,100}")
_MAX_VALUE_CHARS = 100
_PRIORITIES: dict[bytes, Priority] = {each.encode(): each for each in get_args(Priority)}


def read_priority(headers: dict[bytes, bytes]) -> Priority:
    """How urgent a request is that nobody has read yet; what makes no sense is refused later, and is normal here."""
    priority = headers.get(PRIORITY)
    return "normal" if priority is None else _PRIORITIES.get(priority.strip().lower(), "normal")


def read_labels(headers: dict[bytes, bytes], call: Call) -> None:
    """Set ``call.tags``, ``call.flags``, ``call.priority``, ``call.session``, ``call.may_degrade`` and, where the body
    names none, the user; `InvalidRequest` for nonsense."""
    user = headers.get(USER)
    if user is not None and call.view.user is None:
        call.view.user = _text("x-llmops-user", user, _MAX_USER_CHARS)
    session = headers.get(SESSION)
    if session is not None:
        call.session = _text("x-llmops-session", session, _MAX_SESSION_CHARS)
    tags = headers.get(TAGS)
    if tags is not None:
        call.tags = _read_pairs("x-llmops-tags", tags, _NAME)
    flags = headers.get(FLAGS)
    if flags is not None:
        call.flags = _read_pairs("x-llmops-flags", flags, _FLAG)
    priority = headers.get(PRIORITY)
    if priority is not None:
        known = _PRIORITIES.get(priority.strip().lower())
        if known is None:
            raise InvalidRequest(f"x-llmops-priority must be low, normal or high, not {priority[:40]!r}")
        call.priority = known
    degrade = headers.get(DEGRADE)
    if degrade is not None:
        if degrade.strip().lower() != b"never":
            raise InvalidRequest(f"x-llmops-degrade must be never, or not there; it is {degrade[:40]!r}")
        call.may_degrade = False


def _read_pairs(header: str, given: bytes, names: re.Pattern[str]) -> dict[str, str]:
    found: dict[str, str] = {}
    for part in _text(header, given, 4096).split(","):
        if not part.strip():
            continue
        name, equals, value = (side.strip() for side in part.partition("="))
        if not equals or not names.fullmatch(name) or not 0 < len(value) <= _MAX_VALUE_CHARS:
            raise InvalidRequest(
                f"{header} is a list such as 'feature=search, env=prod', with values of 1 to {_MAX_VALUE_CHARS} "
                f"characters; {part.strip()[:80]!r} is not such a pair"
            )
        found[name] = value
    if len(found) > _MAX_TAGS:
        raise InvalidRequest(f"{header} holds {len(found)} {header.rpartition('-')[2]}; at most {_MAX_TAGS} are kept")
    return found


def _text(name: str, value: bytes, limit: int) -> str:
    try:
        text = value.decode().strip()
    except UnicodeDecodeError as exc:
        raise InvalidRequest(f"{name} must be UTF-8") from exc
    if not 0 < len(text) <= limit or not text.isprintable():
        raise InvalidRequest(f"{name} must be 1 to {limit} printable characters")
    return text
