"""What a client was given: the whole answer, an explicit error, or something that no client should get.

The words are numbered, so that a gap, a repetition and a second beginning show.
"""

from dataclasses import dataclass
from typing import Literal

from .caller import Seen

Given = Literal["whole", "error", "broken", "hung"]


@dataclass(frozen=True)
class Verdict:
    given: Given
    why: str = ""


def judge(seen: Seen, words: int) -> Verdict:
    """``words`` is the length of a whole answer."""
    if seen.hung:
        return Verdict("hung", f"no end after {seen.seconds:.1f} s, {len(seen.words)} words")
    if damage := _damage(seen):
        return Verdict("broken", damage)
    if seen.error is not None:
        return _judge_error(seen)
    if seen.broken is not None:
        return Verdict("broken", seen.broken)
    if seen.status != 200:
        return Verdict("broken", f"status {seen.status} without an error object: {seen.raw[:80]!r}")
    if not seen.finished:
        return Verdict("broken", f"the stream ended after {len(seen.words)} words and says nothing of it")
    if len(seen.words) < words:
        return Verdict("broken", f"only {len(seen.words)} of {words} words, under a regular end")
    return Verdict("whole")


def _judge_error(seen: Seen) -> Verdict:
    if not seen.error:
        return Verdict("broken", "an error without a message")
    if seen.status == 200 and not seen.stream:
        return Verdict("broken", "an error under status 200")
    return Verdict("error", f"{seen.status}: {seen.error}")


def _damage(seen: Seen) -> str:
    words = seen.words
    if len(set(words)) < len(words):
        return f"words came twice: {words[:40]}"
    if words != list(range(1, len(words) + 1)):
        return f"words are missing in between: {words[:40]}"
    return "characters are damaged" if "\ufffd" in seen.text else ""
