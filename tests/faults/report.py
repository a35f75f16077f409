"""What a scenario found: figures, and the promises that were not kept."""

import statistics
import sys
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any

_EXAMPLES = 5


@dataclass
class Report:
    """``broken`` counts violations by promise, with a few examples of each in ``examples``."""

    scenario: str
    figures: dict[str, Any] = field(default_factory=dict)
    broken: dict[str, int] = field(default_factory=dict)
    examples: dict[str, list[str]] = field(default_factory=dict)
    quiet: bool = True

    @property
    def kept(self) -> bool:
        return not self.broken

    def expect(self, kept: bool, promise: str, example: object = "") -> None:
        """Note a violation of ``promise`` unless it was kept."""
        if kept:
            return
        self.broken[promise] = self.broken.get(promise, 0) + 1
        shown = self.examples.setdefault(promise, [])
        if example != "" and len(shown) < _EXAMPLES:
            shown.append(str(example))

    def count(self, figure: str, number: int = 1) -> None:
        """Add to a figure."""
        self.figures[figure] = self.figures.get(figure, 0) + number

    def times(self, figure: str, seconds: Sequence[float]) -> None:
        """Median and maximum of some durations."""
        if seconds:
            self.figures[f"{figure}, median s"] = round(statistics.median(seconds), 3)
            self.figures[f"{figure}, max s"] = round(max(seconds), 3)

    def say(self, text: str) -> None:
        """Progress, for who waits."""
        if not self.quiet:
            print(f"  {self.scenario}: {text}", file=sys.stderr, flush=True)

    def text(self) -> str:
        lines = [f"{self.scenario}: {'kept' if self.kept else 'BROKEN'}"]
        lines += [f"  {name}: {value}" for name, value in self.figures.items()]
        for promise, times in self.broken.items():
            lines.append(f"  BROKEN, {times} x: {promise}")
            lines += [f"    e.g. {example}" for example in self.examples[promise]]
        return "\n".join(lines)
