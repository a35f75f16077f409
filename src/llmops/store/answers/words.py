"""Words of invalidation as one process knows them, and which answers they strike.

A word is a selector under a number that only rises. An answer is marked with the newest number that its process had
heard when its call began: every newer word that selects it strikes it, so times of processes are never compared. What
is older than the ``floor`` is struck whatever it is, because words below it are forgotten.

Words are found by what they name, not one by one: a look-up costs the same among ten and ten thousand. Pure state; not
covered is how words travel (``redis``).
"""

from bisect import bisect_left
from collections.abc import Iterable
from itertools import product

from .labels import Labels, Selector

_FIELDS = ("tenant", "model", "release", "knowledge", "tag")
_MOST_MOMENTS = 4096
_FEW = 1000
"""Words below the floor stay until there are many: taking them out one by one would cost more."""


class Words:
    """``newest`` is the highest number known; what is marked with it is struck by nothing."""

    def __init__(self) -> None:
        self.newest = 0
        self.floor = 0
        self._numbers: dict[Selector, int] = {}
        self._by_shape: dict[tuple[str, ...], dict[tuple[str, ...], int]] = {}
        self._tidy_at = _FEW

    def __len__(self) -> int:
        return len(self._numbers)

    def hear(self, words: Iterable[tuple[Selector, int]], floor: int) -> None:
        """Take in words in any order, known ones among them. A selector counts with its highest number."""
        self.floor = max(self.floor, floor)
        self.newest = max(self.newest, floor)
        for selector, number in words:
            if number > max(self.floor, self._numbers.get(selector, 0)):
                self._note(selector, number)
        if len(self._numbers) > self._tidy_at:
            known, self._numbers, self._by_shape = self._numbers, {}, {}
            for selector, number in known.items():
                if number > self.floor:
                    self._note(selector, number)
            self._tidy_at = max(_FEW, 2 * len(self._numbers))

    def lacking(self, words: Iterable[tuple[Selector, int]], floor: int) -> list[Selector]:
        """What somebody has to be told who has (exactly) these words and this floor."""
        if self.floor > floor:
            return [Selector()]  # which words those were is forgotten
        theirs = dict(words)
        return [each for each, number in self._numbers.items() if number > max(floor, theirs.get(each, 0))]

    def _note(self, selector: Selector, number: int) -> None:
        self._numbers[selector] = number
        named = [(field, value) for field in _FIELDS if (value := getattr(selector, field)) is not None]
        shape, values = tuple(field for field, _ in named), tuple(value for _, value in named)
        self._by_shape.setdefault(shape, {})[values] = number
        self.newest = max(self.newest, number)

    def strike(self, labels: Labels, heard: int) -> bool:
        """Whether an answer, marked with the number that was ``heard``, is given out no more."""
        if heard >= self.newest:
            return False
        if heard < self.floor:
            return True
        present = {
            "tenant": (labels.tenant,),
            "model": (labels.model,),
            "release": _forms(labels.release, None),
            "knowledge": _forms(labels.knowledge, "@"),
            "tag": tuple(form for tag in labels.tags for form in _forms(tag, "=")),
        }
        for shape, numbers in self._by_shape.items():
            for values in product(*(present[field] for field in shape)):
                if numbers.get(values, 0) > heard:
                    return True
        return False


def _forms(value: str | None, separator: str | None) -> tuple[str, ...]:
    """How a selector may name that value: whole, or by what stands before the separator."""
    if value is None:
        return ()
    if separator is None or separator not in value:
        return (value,)
    return value, value.partition(separator)[0]


class Heard:
    """When this process heard which number: what a call that began at a time can have known.

    Times never fall here, even if the clock does.
    """

    def __init__(self) -> None:
        self._times_s: list[float] = []
        self._numbers: list[int] = []

    def join(self, number: int, at_s: float) -> None:
        """Connected (again). What began before that is unknown: words may have been missed."""
        self._times_s, self._numbers = [at_s], [number]

    def hear(self, number: int, at_s: float) -> None:
        if number == self._numbers[-1]:
            return
        self._times_s.append(max(at_s, self._times_s[-1]))
        self._numbers.append(number)
        if len(self._times_s) > _MOST_MOMENTS:
            del self._times_s[: _MOST_MOMENTS // 2], self._numbers[: _MOST_MOMENTS // 2]

    def before(self, began_s: float) -> int | None:
        """The number that was known when a call began; None where that is not known any more."""
        place = bisect_left(self._times_s, began_s)
        return self._numbers[place - 1] if place else None
