"""Questions out of a request log that captured messages: pairs that could have been hits, for a person to label."""

from collections.abc import Callable, Iterable, Iterator

import msgspec

from .measuring import Pair


class _Message(msgspec.Struct, gc=False):
    role: str
    content_hash: str
    content: str | None = None


class _Line(msgspec.Struct, gc=False):
    tenant: str = ""
    model: str = ""
    operation: str = ""
    status: int = 0
    prompt_version: str | None = None
    release_id: str | None = None
    stream: bool = False
    messages_masked: list[_Message] = []


class Question(msgspec.Struct, frozen=True, gc=False):
    """``place`` is what the log knows of a question's namespace."""

    place: bytes
    text: str


Nearest = Callable[[int, list[int]], tuple[int, float] | None]
"""Of some questions, by their numbers, the nearest to one, and how near it is; None where there are none."""

_LINE = msgspec.json.Decoder(_Line)
_OPERATIONS = ("chat", "messages", "responses")


def questions_of(lines: Iterable[bytes]) -> Iterator[Question]:
    """The last user messages that were captured as text; lines that are none of ours are passed over."""
    for raw in lines:
        try:
            line = _LINE.decode(raw)
        except (msgspec.DecodeError, UnicodeDecodeError):
            continue
        if line.operation not in _OPERATIONS or line.status != 200 or not line.messages_masked:
            continue
        *before, last = line.messages_masked
        if last.role == "user" and last.content and not last.content.startswith("["):
            who = (line.tenant, line.model, line.operation, line.prompt_version, line.release_id, line.stream)
            place = msgspec.msgpack.encode((who, [(each.role, each.content_hash) for each in before]))
            yield Question(place, last.content)


def nearest_earlier(questions: list[Question], nearest: Nearest) -> list[tuple[Pair, float]]:
    """Each question with the nearest that was asked before it at the same place; the same words are no pair."""
    places: dict[bytes, dict[str, int]] = {}
    pairs = []
    for number, question in enumerate(questions):
        earlier = places.setdefault(question.place, {})
        if question.text not in earlier:
            found = nearest(number, list(earlier.values()))
            if found is not None:
                pairs.append((Pair(questions[found[0]].text, question.text), found[1]))
            earlier[question.text] = number
    return pairs
