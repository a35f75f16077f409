"""How often which variant was given out, for the metrics: counted by flag and variant, so many of them, then ``other``.

Keys and variants are what editors wrote, not what clients did; the bound is for those who write thousands.
"""

from collections.abc import Iterator

from .decision import Decision

_MOST = 1000
_OTHER = ("other", "other", "other")


class Exposures:
    def __init__(self) -> None:
        self._counts: dict[tuple[str, str, str], int] = {}

    def note(self, key: str, decision: Decision) -> None:
        about = key, decision.variant, decision.reason.lower()
        counts = self._counts
        if about not in counts and len(counts) >= _MOST:
            about = _OTHER
        counts[about] = counts.get(about, 0) + 1

    def counts(self) -> Iterator[tuple[tuple[str, str, str], int]]:
        """By flag, variant and reason."""
        yield from list(self._counts.items())
