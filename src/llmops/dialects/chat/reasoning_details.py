"""Reasoning with its proofs in Chat Completions, where the text alone has a name (``reasoning_content``).

Signatures and opaque thoughts ride in ``reasoning_details``, the list that OpenRouter made for it: entries of type
``reasoning.text`` (``text``, ``signature``), ``reasoning.summary`` and ``reasoning.encrypted`` (``data``). Entries of
one ``id`` make one thought. A client that sends the assistant's message back as it came brings them along.
"""

from typing import Any

import msgspec

from ..conversation import Reasoning, ReasoningDelta


def read_details(details: Any, text: str | None) -> list[Reasoning]:
    """The thoughts of a message; ``text`` is its plain ``reasoning_content``, used where the details hold no text."""
    thoughts: list[Reasoning] = []
    last_id: str | None = None
    for detail in details if isinstance(details, list) else ():
        thought = _read_detail(detail)
        if thought is None:
            continue
        detail_id = detail.get("id")
        if thoughts and detail_id is not None and detail_id == last_id:
            thoughts[-1] = _joined(thoughts[-1], thought)
        else:
            thoughts.append(thought)
        last_id = detail_id
    if text and not any(thought.text for thought in thoughts):
        first = thoughts[0] if thoughts else Reasoning()
        thoughts[:1] = [msgspec.structs.replace(first, text=text)]
    return thoughts


def read_delta(details: Any, text: str | None) -> list[ReasoningDelta]:
    """What one chunk of a stream adds: the text first, then what proves it."""
    thoughts = (
        [thought for detail in details if (thought := _read_detail(detail)) is not None]
        if isinstance(details, list)
        else []
    )
    text = text or "".join(thought.text for thought in thoughts)
    deltas = [ReasoningDelta(text=text)] if text else []
    return deltas + [
        ReasoningDelta(signature=thought.signature, encrypted=thought.encrypted)
        for thought in thoughts
        if thought.signature or thought.encrypted
    ]


def _read_detail(detail: Any) -> Reasoning | None:
    """One entry; None for what is no entry, or says nothing."""
    match detail:
        case {"type": "reasoning.text"}:
            thought = Reasoning(text=_text(detail.get("text")) or "", signature=_text(detail.get("signature")))
        case {"type": "reasoning.summary"}:
            thought = Reasoning(text=_text(detail.get("summary")) or "")
        case {"type": "reasoning.encrypted"}:
            thought = Reasoning(encrypted=_text(detail.get("data")))
        case _:
            return None
    return thought if thought != Reasoning() else None


def _text(value: Any) -> str | None:
    return value if isinstance(value, str) and value else None


def _joined(one: Reasoning, other: Reasoning) -> Reasoning:
    return Reasoning(
        text=one.text + other.text,
        signature=(one.signature or "") + (other.signature or "") or None,
        encrypted=(one.encrypted or "") + (other.encrypted or "") or None,
    )


def write_reasoning(thoughts: list[Reasoning]) -> dict[str, Any]:
    """The members of a message: the text, and the details where there is more to keep than text."""
    members: dict[str, Any] = {}
    if text := "".join(thought.text for thought in thoughts):
        members["reasoning_content"] = text
    if any(thought.signature or thought.encrypted for thought in thoughts):
        writer = DetailsWriter()
        members["reasoning_details"] = [
            entry
            for thought in thoughts
            for entry in writer.write(thought.text, thought.signature, thought.encrypted, begins=True)
        ]
    return members


class DetailsWriter:
    """The entries of one message, whole or piece by piece: pieces of one entry share its ``index``."""

    def __init__(self) -> None:
        self._entries = 0
        self._thoughts = 0
        self._open_text = False
        """The last entry is a text that may grow."""
        self._signed = False
        self._has_data = True
        """The last thought can take no opaque part: it has one, or there is none yet."""

    def write(
        self, text: str, signature: str | None, encrypted: str | None, *, begins: bool = False
    ) -> list[dict[str, Any]]:
        """The entries, or their pieces, that are added. ``begins`` starts a new thought in any case."""
        entries: list[dict[str, Any]] = []
        if begins:
            self._open_text, self._signed, self._has_data = False, False, True
        if text or signature:
            if not self._open_text or (text and self._signed):
                head = self._entry("reasoning.text", new_thought=True)
                self._open_text, self._signed, self._has_data = True, False, False
            else:
                head = {"index": self._entries - 1, "type": "reasoning.text"}
            self._signed = self._signed or bool(signature)
            entries.append(
                {**head, **({"text": text} if text else {}), **({"signature": signature} if signature else {})}
            )
        if encrypted:
            apart = self._has_data or self._signed  # a signed text is whole: Anthropic's blocks are one or the other
            entries.append({**self._entry("reasoning.encrypted", new_thought=apart), "data": encrypted})
            self._open_text, self._signed, self._has_data = False, False, True
        return entries

    def _entry(self, kind: str, *, new_thought: bool) -> dict[str, Any]:
        self._thoughts += new_thought
        self._entries += 1
        return {"index": self._entries - 1, "type": kind, "id": f"thought_{self._thoughts - 1}"}
