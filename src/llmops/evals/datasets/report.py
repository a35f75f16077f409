"""What came of an import or export beside the cases: everything that could not be carried over, counted, with where."""

from collections import Counter
from collections.abc import Callable

from ...errors import ConfigError

Progress = Callable[[int, int], None]
"""Told how much is done, of how much: bytes of a file, or cases."""
MAX_PROBLEMS = 20
_MAX_PLACES = 5


def no_progress(_done: int, _all: int) -> None:
    pass


class Report:
    """``note`` what is lost or changed; ``problem`` what makes the file unusable: `check` raises them all together."""

    def __init__(self, source: str) -> None:
        self.source = source
        self._notes: Counter[str] = Counter()
        self._places: dict[str, list[str]] = {}
        self._problems: list[str] = []
        self._bad = 0

    def note(self, what: str, where: str | None = None) -> None:
        self._notes[what] += 1
        places = self._places.setdefault(what, [])
        if where is not None and len(places) < _MAX_PLACES:
            places.append(where)

    def problem(self, where: str, what: str) -> None:
        self._bad += 1
        if self._bad <= MAX_PROBLEMS:
            self._problems.append(f"{where}: {what}")

    @property
    def is_hopeless(self) -> bool:
        """So much is wrong that reading on would tell nothing new."""
        return self._bad >= 1000

    def check(self) -> None:
        """`ConfigError` with the first problems, if there are any."""
        if self._bad:
            more = self._bad - len(self._problems)
            raise ConfigError([*self._problems, *([f"{more:,} more"] if more else [])], source=self.source)

    @property
    def notes(self) -> list[str]:
        """The most frequent first."""
        return [
            f"{what} ({count:,} times{': ' + ', '.join(self._places[what]) if self._places[what] else ''})"
            for what, count in self._notes.most_common()
        ]
