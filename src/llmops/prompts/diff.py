"""What differs between two contents: their files as a unified diff, as somebody reviewing them in git would see it."""

import difflib
from collections.abc import Iterable

_MAX_LINES = 5000


def unified(before: str, after: str, names: tuple[str, str]) -> str:
    """The difference between two texts, '' if there is none.

    Texts of more lines than a careful comparison is quick for are told apart as a whole: their difference is exact, but
    may be longer than it need be.
    """
    if before == after:
        return ""
    old, new = before.splitlines(), after.splitlines()
    if len(old) + len(new) > _MAX_LINES:
        return "\n".join([f"--- {names[0]}", f"+++ {names[1]}", *_marked("-", old), *_marked("+", new)])
    return "\n".join(difflib.unified_diff(old, new, *names, lineterm=""))


def _marked(mark: str, lines: Iterable[str]) -> Iterable[str]:
    return (f"{mark}{line}" for line in lines)
