"""When two calls are the same question: a keyed digest over all that may shape the answer.

It covers tenant, namespace, operation, model, the deployments behind it, release, prompt version, knowledge and the
body, byte by byte, without the parameters of ``UNSHAPING``, which say who asks and not what. The same JSON laid out
otherwise is another question: that costs a call, and never gives a wrong answer. Above all it cannot be fooled by what
parsers disagree on (a name that is there twice, an escape). Keyed, so that who reads the store cannot try questions
out. Streams are kept apart from whole answers, since their bodies say so.

Not covered: what the upstream keeps itself. A call that refers to such a state (``previous_response_id``, a
conversation, work in the background) has no fingerprint.
"""

from collections.abc import Mapping, Sequence, Set
from hashlib import blake2b

import msgspec

from ..types import Call

UNSHAPING = frozenset(
    {"user", "metadata", "safety_identifier", "prompt_cache_key", "prompt_cache_retention", "service_tier"}
)
"""Parameters that do not change what is answered."""
_STATEFUL = ("previous_response_id", "conversation", "background", "container")
_ABSENT = (b"null", b"false", b'""')
_LAYOUTS = ((b":", b","), (b": ", b", "))
"""How libraries write JSON: without blanks, or with one after colons and commas."""
_FIELDS: "msgspec.json.Decoder[dict[str, msgspec.Raw]]" = msgspec.json.Decoder(dict[str, msgspec.Raw])
_KEY_BYTES = 32


class Fingerprints:
    """``key`` is a secret of the installation, the same in every process that shares a store; at most 64 bytes."""

    def __init__(self, key: bytes) -> None:
        self._start = blake2b(key=key, digest_size=_KEY_BYTES, person=b"llmops answer 1")

    def of(self, call: Call, generation: bytes) -> bytes | None:
        """32 bytes; None for a call whose answer depends on more than it says. ``generation`` tells one set of
        deployments behind the model from another."""
        fields = _FIELDS.decode(call.body)
        if not fields.keys().isdisjoint(_STATEFUL) and _is_stateful(call.body, fields):
            return None
        digest = self._start.copy()
        digest.update(_circumstances(call, generation))
        digest.update(call.body if fields.keys().isdisjoint(UNSHAPING) else _question(call.body, fields))
        return digest.digest()

    def of_inputs(self, call: Call, generation: bytes, inputs: Sequence[bytes]) -> list[bytes]:
        """For an embeddings call: one for each input, the same whatever else is embedded with it."""
        start = self._digest(call, generation, _FIELDS.decode(call.body), UNSHAPING | {"input"})
        found = []
        for each in inputs:
            digest = start.copy()
            digest.update(b"input\0")
            digest.update(each)
            found.append(digest.digest())
        return found

    def of_value(self, *parts: str) -> bytes:
        """For what is no call: 32 bytes for these parts."""
        digest = self._start.copy()
        digest.update(msgspec.msgpack.encode(("value", *parts)))
        return digest.digest()

    def _digest(self, call: Call, generation: bytes, fields: dict[str, msgspec.Raw], without: Set[str]) -> "blake2b":
        digest = self._start.copy()
        digest.update(_circumstances(call, generation))
        for name in sorted(fields):
            if name not in without:
                digest.update(b"%b\0%d\0" % (name.encode("utf-8", "surrogatepass"), len(fields[name])))
                digest.update(fields[name])
        return digest


def _circumstances(call: Call, generation: bytes) -> bytes:
    """All but the body."""
    who = (call.tenant, call.operation, call.release_id, call.prompt_version, call.knowledge, call.allow_dropped)
    if call.cache_namespace is not None:
        return msgspec.msgpack.encode((*who, generation, call.cache_namespace))
    return msgspec.msgpack.encode((*who, generation))


def _is_stateful(body: bytes, fields: Mapping[str, msgspec.Raw]) -> bool:
    """Whether it refers to what the upstream keeps. A name that is there twice counts: who knows which one is read."""
    present = [name for name in _STATEFUL if name in fields]
    return any(bytes(fields[name]) not in _ABSENT or body.count(b'"%b"' % name.encode()) > 1 for name in present)


def _question(body: bytes, fields: Mapping[str, msgspec.Raw]) -> bytes:
    """The body as it would be without its parameters that do not shape the answer; all of it where it is laid out in
    an unusual way, or says anything twice."""
    for layout in _LAYOUTS:
        if _written(fields, layout) == body:
            return _written({name: raw for name, raw in fields.items() if name not in UNSHAPING}, layout)
    return body


def _written(fields: Mapping[str, msgspec.Raw], layout: tuple[bytes, bytes]) -> bytes:
    colon, comma = layout
    return b"{" + comma.join([b'"%b"%b%b' % (name.encode(), colon, raw) for name, raw in fields.items()]) + b"}"
