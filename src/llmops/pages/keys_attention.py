"""What needs attention among keys, limits and budgets: what nearly runs out, is nearly used up, or is never used."""

from datetime import datetime
from typing import Any

from ..viewing import figures
from ..viewing.components import Trouble, link
from ..viewing.view import View
from .keys_rules import described, share_of

_SOON_S = 14 * 86_400
_OLD_S = 30 * 86_400
_MOST = 6
_NEARLY = 0.8


def troubles(view: View) -> list[Trouble]:
    """Worst first, so many at most."""
    found = [*_used_up(view), *_keys(view)]
    if len(found) > _MOST:
        found = [*found[: _MOST - 1], Trouble("warn", f"and {len(found) - _MOST + 1} more")]
    return found


def seconds_of(moment: str | None) -> float | None:
    """Of a time in ISO 8601, as the control plane writes it."""
    return None if moment is None else datetime.fromisoformat(moment).timestamp()


def in_tenant(view: View, rule: dict[str, Any]) -> bool:
    return not view.tenant or rule["where"].get("tenant") in (None, view.tenant)


def _used_up(view: View) -> list[Trouble]:
    found = []
    for kind in ("budget", "limit"):
        for rule in view.ask(f"/api/{kind}s").value or ():
            shares = [share for each in rule["used"] or () if (share := share_of(rule, each)) is not None]
            worst = max(shares, default=0.0)
            if worst >= _NEARLY and in_tenant(view, rule):
                found.append(
                    Trouble(
                        "bad" if worst >= 1 else "warn",
                        rule["name"] or described(rule),
                        f"{figures.share(worst)} of the {kind} is used",
                        link("keys", part="limits", tenant=view.tenant),
                    )
                )
    return sorted(found, key=lambda each: each.mood)


def _keys(view: View) -> list[Trouble]:
    keys = [key for key in view.ask("/api/keys", tenant=view.tenant).value or () if key["state"] == "active"]
    found = []
    for key in keys:
        left_s = (seconds_of(key["expires_at"]) or float("inf")) - view.now_s
        if left_s < _SOON_S:
            to = link("keys", key=key["id"], tenant=view.tenant)
            found.append(Trouble("warn", key["name"], f"expires in {figures.seconds(left_s)}", to))
    idle = [key for key in keys if key["role"] == "caller" and key["last_used_on"] is None and _is_old(key, view)]
    if idle:
        said = "key in force has" if len(idle) == 1 else "keys in force have"
        to = link("keys", used="never", tenant=view.tenant)
        found.append(Trouble("warn", f"{len(idle)} {said} never made a call", "revoke what nobody needs", to))
    return found


def _is_old(key: dict[str, Any], view: View) -> bool:
    created_s = seconds_of(key["created_at"])
    return created_s is not None and view.now_s - created_s > _OLD_S
