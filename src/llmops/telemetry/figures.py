"""Numbers of defined metrics at one moment, which add up over processes as the metric table says.

Whoever counts something by itself (a service beside the calls, a policy) gives its numbers as `Figure`s; the exposition
writes them without knowing where they come from. A name or a label that the table does not have is a defect and is
refused at once, so that nothing is exposed that is not described.
"""

from collections.abc import Iterable, Sequence
from typing import NamedTuple

import msgspec

from .metric_table import METRICS

JOINED = "\x1f"


class Figure(NamedTuple):
    """One number: a metric's name, its value, and its labels in the table's order."""

    name: str
    value: float
    labels: Sequence[str] = ()


class Figures(msgspec.Struct):
    """By metric, then by its labels joined by U+001F. Of histograms there are none here."""

    values: dict[str, dict[str, float]] = {}

    def count(self, name: str, *labels: str, more: float = 1) -> None:
        """Add to a counter."""
        self.put([Figure(name, more, labels)])

    def put(self, figures: Iterable[Figure]) -> None:
        for name, value, labels in figures:
            if len(METRICS[name].labels) != len(labels):
                raise ValueError(f"{name} has the labels {METRICS[name].labels!r}, not values for {labels!r}")
            self._add(name, JOINED.join(labels), value)

    def add(self, other: "Figures") -> None:
        for name, found in other.values.items():
            if name in METRICS:  # a worker of another version may know more
                for joined, value in found.items():
                    self._add(name, joined, value)

    def rest(self) -> None:
        """Of a process that has ended: its counters stay."""
        for name in [name for name in self.values if METRICS.get(name) is None or METRICS[name].kind == "gauge"]:
            del self.values[name]

    def _add(self, name: str, joined: str, value: float) -> None:
        known = self.values.setdefault(name, {})
        if METRICS[name].across == "max":
            known[joined] = max(value, known.get(joined, value))
        else:
            known[joined] = known.get(joined, 0) + value
