"""What the pages of rollouts share: links, states and verdicts as words, times."""

from collections.abc import Mapping
from typing import Any

from ..viewing.components import Mood, link
from ..viewing.view import View

Rollout = Mapping[str, Any]
OPEN = ("scheduled", "running", "paused", "held")
STATES: dict[str, tuple[Mood, str]] = {
    "scheduled": ("neutral", "scheduled"),
    "running": ("neutral", "running"),
    "paused": ("warn", "paused"),
    "held": ("warn", "held: a person has to decide"),
    "promoted": ("good", "promoted"),
    "rolled_back": ("bad", "rolled back"),
}
ACTIONS: dict[str, Mood] = {"PROMOTE": "good", "DONE": "good", "ROLLBACK": "bad", "PAUSE": "warn", "ASK": "warn"}
VERDICTS: dict[str, Mood] = {"PASS": "good", "BLOCK": "bad", "ERROR": "bad"}


def here(view: View, rollout: str | None = None, **more: object) -> str:
    """This page; with an id that rollout."""
    return link("rollouts", tenant=view.tenant, rollout=rollout, **more)


def state_of(status: str) -> tuple[Mood, str]:
    return STATES.get(status, ("warn", status))


def percent(share: float) -> str:
    return f"{share * 100:g} %"


def kind_of(kind: str) -> str:
    return {"ab": "A/B", "blue_green": "blue-green", "shadow": "shadow, never answered from"}.get(kind, kind)
