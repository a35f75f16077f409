"""The plot: what goes wrong in the hour, and when; as changes to the configuration, and to how much the tenants ask.

Pure. An act's changes to deployments take effect as every change does, by a reload of the configuration. Minutes are
those of an hour and are stretched or pressed with it.
"""

import copy
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from decimal import Decimal
from typing import Any

HOUR_MINUTES = 60.0
USUAL_PER_S = 2.0
"""Calls a second for which the configuration's limits and budgets are meant."""
_BAD_PROMPT, _FIRST_WORDS = "support@13", "Sure! Here is the JSON that you asked for: {'supplier': ..."


@dataclass(frozen=True)
class Act:
    """Something happens for a while. ``mocks`` are changes by deployment, ``busier`` factors by tenant."""

    name: str
    minute: float
    minutes: float
    told: str
    """What the audience is told before."""
    mocks: Mapping[str, Mapping[str, Any]] = field(default_factory=dict)
    busier: Mapping[str, float] = field(default_factory=dict)
    prompt_version: str | None = None

    @property
    def end(self) -> float:
        return self.minute + self.minutes


PLOT: tuple[Act, ...] = (
    Act(
        "slow spell",
        7,
        7,
        "assistant/east slows down to several seconds before the first word",
        mocks={"assistant/east": {"latency_ms": 5200, "tokens_per_second": 35}},
    ),
    Act(
        "error burst",
        17,
        5,
        "mini/north fails: its breaker opens and mini/south takes over",
        mocks={"mini/north": {"error_rate": 0.95}},
    ),
    Act(
        "spend spike",
        25,
        8,
        "growth generates campaigns at ten times the pace: past its notice, then into its cap (402)",
        busier={"growth": 10.0},
    ),
    Act(
        "broken JSON",
        35,
        5,
        "extractor/house answers with chatter instead of the JSON demanded",
        mocks={"extractor/house": {"reply": _FIRST_WORDS}},
    ),
    Act(
        "bad prompt",
        38,
        13,
        f"prompt {_BAD_PROMPT} is released, users frown, it is rolled back",
        prompt_version=_BAD_PROMPT,
    ),
    Act("batch run", 45, 4, "analytics starts all its reports at once: rate limit (429)", busier={"analytics": 10.0}),
    Act(
        "time-outs",
        53,
        3,
        "reasoner/lab hangs, and there is nobody to stand in: time-outs (504)",
        mocks={"reasoner/lab": {"latency_ms": 90_000}},
    ),
)


def playing(minute: float) -> list[Act]:
    """What is going on in that minute of the hour."""
    return [act for act in PLOT if act.minute <= minute < act.end]


def turns() -> list[float]:
    """The minutes in which an act begins or ends."""
    return sorted({each for act in PLOT for each in (act.minute, act.end)})


def busier(acts: Sequence[Act], tenant: str) -> float:
    factor = 1.0
    for act in acts:
        factor *= act.busier.get(tenant, 1.0)
    return factor


def is_frowned_at(prompt_version: str | None) -> bool:
    return prompt_version == _BAD_PROMPT


def with_acts(config: Mapping[str, Any], acts: Sequence[Act]) -> dict[str, Any]:
    """The configuration while these are going on."""
    changed = copy.deepcopy(dict(config))
    changes = {name: change for act in acts for name, change in act.mocks.items()}
    for entry in changed.get("models", {}).values():
        for deployment in entry["deployments"] if isinstance(entry, dict) else entry:
            if deployment.get("name") in changes:
                deployment["mock"] = {**deployment.get("mock", {}), **changes[deployment["name"]]}
    for act in acts:
        if act.prompt_version is not None:
            changed["prompts"] = {**changed.get("prompts", {}), "version": act.prompt_version}
    return changed


def fitted(config: Mapping[str, Any], minutes: float, per_s: float) -> dict[str, Any]:
    """The configuration with limits and budgets for so much traffic."""
    changed = copy.deepcopy(dict(config))
    rate = per_s / USUAL_PER_S
    for budget in changed.get("budgets", ()):
        amount = Decimal(str(budget["usd"])) * Decimal(str(rate * minutes / HOUR_MINUTES))
        budget["usd"] = str(max(amount, Decimal("0.01")).quantize(Decimal("0.01")))
    for rule in changed.get("limits", {}).get("rules", ()):
        if "requests_per_minute" in rule:
            rule["requests_per_minute"] = max(1, round(rule["requests_per_minute"] * rate))
    return changed
