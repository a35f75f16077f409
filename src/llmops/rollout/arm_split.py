"""Do the arms of an experiment get the units that they should? An e-process for shares that move all the time.

A unit in an arm that it got with probability p counts 1 / p there and 0 elsewhere: on average 1, whatever the shares
are. Each arm has a few bets that it gets more, and fewer, in proportion to its nominal share; their mean over all arms
is the evidence of a sample-ratio mismatch, valid at every look. Nominal shares are those that were in force when the
unit came, so gateways that follow a second later cost power and not validity.
"""

import math
from collections.abc import Mapping, Sequence

import msgspec

_TILTS = (-0.4, -0.2, -0.1, -0.05, 0.05, 0.1, 0.2, 0.4)
_MOST_LOST = -0.99
"""Of a bet's capital at one unit; reached only where a share was less than half of the nominal one."""


class ArmSplit(msgspec.Struct):
    """``logs``: for each arm the logarithm of every bet's capital."""

    logs: dict[str, list[float]]

    def observe(self, arm: str, probability: float, nominal: Mapping[str, float]) -> None:
        """``nominal`` sizes the bets; it is not about this unit, so being a little off costs no validity."""
        for each, capital in self.logs.items():
            gain = nominal[each] * ((1 / probability if each == arm else 0.0) - 1)
            for number, tilt in enumerate(_TILTS):
                capital[number] += math.log1p(max(_MOST_LOST, tilt * gain))

    @staticmethod
    def threshold(alpha: float) -> float:
        return -math.log(alpha)

    @property
    def log_e(self) -> float:
        every = [each for capital in self.logs.values() for each in capital]
        most = max(every)
        return most + math.log(sum(math.exp(each - most) for each in every) / len(every))


def no_split(arms: Sequence[str]) -> ArmSplit:
    return ArmSplit(logs={arm: [0.0] * len(_TILTS) for arm in arms})
