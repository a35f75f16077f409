"""What judges of one rule may still cost today. Pure: no clock, no waiting.

A judgement's price is known when it has been made. So what is under way is taken to cost as much as the dearest one so
far, and before anything is known one goes alone: what is spent beyond the budget is at most one surprise. A judge whose
price nobody knows spends nothing: its first answer ends it.
"""

from typing import Literal

Answer = Literal["go", "wait", "no"]


class Budget:
    def __init__(self, nanousd: int | None) -> None:
        self.nanousd = nanousd
        """None: without a bound."""
        self.spent_nanousd = 0
        """Today, by all gateways, as far as it is known here."""
        self.is_unpriced = False
        self._under_way = 0
        self._dearest: int | None = None

    def ask(self) -> Answer:
        """Whether one more may be made: ``wait`` says that it depends on those under way."""
        if self.nanousd is None:
            return "go"
        if self.is_unpriced or self.spent_nanousd >= self.nanousd:
            return "no"
        if self._dearest is None:
            return "wait" if self._under_way else "go"
        if self.spent_nanousd + self._dearest * (self._under_way + 1) <= self.nanousd:
            return "go"
        return "wait" if self._under_way else "no"

    def begin(self) -> None:
        self._under_way += 1

    def end(self, cost_nanousd: int | None, *, asked: bool = True) -> None:
        """One has been made. ``asked``: whether the judge had to say anything at all."""
        self._under_way -= 1
        if cost_nanousd is None:
            self.is_unpriced = self.is_unpriced or (asked and self.nanousd is not None)
            return
        self.spent_nanousd += cost_nanousd
        if asked:
            self._dearest = max(self._dearest or 0, cost_nanousd)
