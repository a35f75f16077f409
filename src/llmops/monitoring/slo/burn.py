"""How fast an error budget burns, and whether anybody should be told: pure functions over counts.

A budget is the share of events that may be bad, 1 - target. A burn rate of 1 uses exactly the budget over the window
that the objective names; 14.4 uses 2 % of a 30-day budget in an hour. An alert needs a high rate over a long window,
so that it matters, and over a short one, so that it is still going on and the alert ends soon after the trouble does
(Beyer et al., "The Site Reliability Workbook", chapter 5). With few events one failure is a large share: an alert
therefore also needs a number of events, and of bad ones, in its long window.

Not covered: whether the budget is used up, which is `budget`'s.
"""

from collections.abc import Mapping
from typing import Literal

import msgspec

Severity = Literal["page", "ticket"]

WINDOWS_S: Mapping[str, int] = {
    "5m": 300,
    "30m": 1_800,
    "1h": 3_600,
    "2h": 7_200,
    "6h": 21_600,
    "1d": 86_400,
    "3d": 259_200,
}
"""Every window that an alert looks at, by its name in rules."""


class BurnAlert(msgspec.Struct, frozen=True):
    """Fires while the budget burns at ``rate`` or faster in both windows."""

    rate: float
    long: str
    short: str
    severity: Severity


BURN_ALERTS = (
    BurnAlert(14.4, "1h", "5m", "page"),
    BurnAlert(6.0, "6h", "30m", "page"),
    BurnAlert(3.0, "1d", "2h", "ticket"),
    BurnAlert(1.0, "3d", "6h", "ticket"),
)


class Events(msgspec.Struct, frozen=True, kw_only=True):
    """What happened in a window: events, and money where the objective is about it."""

    good: int = 0
    bad: int = 0
    cost_nanousd: int = 0

    @property
    def all(self) -> int:
        return self.good + self.bad

    def __add__(self, other: "Events") -> "Events":
        return Events(
            good=self.good + other.good, bad=self.bad + other.bad, cost_nanousd=self.cost_nanousd + other.cost_nanousd
        )


class Allowance(msgspec.Struct, frozen=True, kw_only=True):
    """What an objective allows: a share of bad events, or money a second. ``minimum_*``: before an alert may fire."""

    bad_ratio: float | None = None
    usd_per_s: float = 0.0
    minimum_events: int = 1
    minimum_bad_events: int = 1


def burn_rate(events: Events, allowance: Allowance, window_s: float) -> float | None:
    """How many times faster than allowed the budget goes; None where nothing happened that could be bad."""
    if allowance.bad_ratio is None:
        return events.cost_nanousd / 1e9 / window_s / allowance.usd_per_s
    if not events.all:
        return None
    return events.bad / events.all / allowance.bad_ratio


def is_enough(events: Events, allowance: Allowance) -> bool:
    """Whether so much happened that a rate means something."""
    bad_enough = allowance.bad_ratio is None or events.bad >= allowance.minimum_bad_events
    return events.all >= allowance.minimum_events and bad_enough


def is_firing(alert: BurnAlert, windows: Mapping[str, Events], allowance: Allowance) -> bool:
    """``windows``: what happened in each of `WINDOWS_S`, by name, up to the same moment."""
    for name in (alert.long, alert.short):
        rate = burn_rate(windows[name], allowance, WINDOWS_S[name])
        if rate is None or rate <= alert.rate:
            return False
    return is_enough(windows[alert.long], allowance)


def firing(windows: Mapping[str, Events], allowance: Allowance) -> list[BurnAlert]:
    """The alerts that fire, fastest first."""
    return [alert for alert in BURN_ALERTS if is_firing(alert, windows, allowance)]
