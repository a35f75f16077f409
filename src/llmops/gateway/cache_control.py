"""What a caller asks of the cache, and what it is told of it.

What it asks: HTTP's own request header ``Cache-Control``, and three of ours.

``Cache-Control: no-cache | no-store | max-age=60 | only-if-cached`` (RFC 9111, 5.2.1), several separated by commas;
directives that mean nothing here are passed over, as the standard wants it. ``x-llmops-cache-ttl: 3600`` is how many
seconds this answer may be given out, ``x-llmops-knowledge: handbook@2024-11`` the knowledge base and version that the
prompt was made with, and ``x-llmops-cache-namespace: run-7/case-3/0`` sets answers apart: only calls that name the same
get them. What it is told: ``x-llmops-cache: hit | shared | semantic | stale | miss | bypass``, of an answer that was
there before its ``age`` in seconds, and the namespace again, so that the caller knows it was heeded.
"""

import re

from ..errors import InvalidRequest
from ..types import CacheNote, CacheWish, Call
from .asgi import Headers

CONTROL = b"cache-control"
TTL = b"x-llmops-cache-ttl"
KNOWLEDGE = b"x-llmops-knowledge"
NAMESPACE = b"x-llmops-cache-namespace"
_MAX_TTL_S = 31_536_000
_SECONDS = re.compile(rb"[0-9]{1,8}")
_KEPT = frozenset({"hit", "semantic", "stale"})
_NAMESPACE = re.compile(rb"[A-Za-z0-9_.:/-]{1,128}")
_KNOWLEDGE = re.compile(r"[A-Za-z0-9_.:/-]{1,100}@[A-Za-z0-9_.:/-]{1,100}")


def read_cache_control(headers: dict[bytes, bytes], call: Call) -> None:
    """Set ``call.cache``, ``call.knowledge`` and ``call.cache_namespace`` where the headers say something;
    `InvalidRequest` for nonsense."""
    control, ttl, knowledge = headers.get(CONTROL), headers.get(TTL), headers.get(KNOWLEDGE)
    if knowledge is not None:
        call.knowledge = _read_knowledge(knowledge)
    namespace = headers.get(NAMESPACE)
    if namespace is not None:
        call.cache_namespace = _read_namespace(namespace)
    if control is not None or ttl is not None:
        call.cache = _read_wish(control or b"", ttl)


def cache_headers(note: CacheNote, namespace: str | None = None) -> Headers:
    """What the reply says of the cache."""
    headers = [(b"x-llmops-cache", note.state.encode())]
    if namespace is not None:
        headers.append((NAMESPACE, namespace.encode()))
    if note.state in _KEPT:
        headers.append((b"age", b"%d" % note.age_s))
    if note.similarity is not None:
        headers.append((b"x-llmops-cache-similarity", b"%.4f" % note.similarity))
    return headers


def _read_wish(control: bytes, ttl: bytes | None) -> CacheWish:
    words = {}
    for part in control.lower().split(b","):
        name, _, value = part.partition(b"=")
        words[name.strip()] = value.strip().strip(b'"')
    is_stored = b"no-store" not in words
    age = words.get(b"max-age")
    return CacheWish(
        reads=is_stored and b"no-cache" not in words,
        writes=is_stored,
        max_age_s=None if age is None else _seconds("cache-control: max-age", age),
        only=b"only-if-cached" in words,
        ttl_s=None if ttl is None else _seconds("x-llmops-cache-ttl", ttl),
    )


def _seconds(what: str, value: bytes) -> float:
    if not _SECONDS.fullmatch(value) or int(value) > _MAX_TTL_S:
        shown = value[:40].decode("latin-1")
        raise InvalidRequest(f"{what} is {shown!r}; it must be whole seconds from 0 to {_MAX_TTL_S}")
    return float(value)


def _read_namespace(value: bytes) -> str:
    if not _NAMESPACE.fullmatch(value):
        shown = value[:40].decode("latin-1")
        raise InvalidRequest(
            f"x-llmops-cache-namespace is {shown!r}; it must be 1 to 128 letters, digits or any of _ . : / -"
        )
    return value.decode()


def _read_knowledge(value: bytes) -> str:
    text = value.decode("latin-1").strip()
    if not _KNOWLEDGE.fullmatch(text):
        raise InvalidRequest(
            f"x-llmops-knowledge is {text[:80]!r}; it names a knowledge base and its version, e.g. handbook@2024-11"
        )
    return text
