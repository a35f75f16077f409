"""``llmops audit``: who changed what, when and why; and how commands that change things write to the same trail."""

from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from .output import ConfigOption, JsonFlag, clean_errors, print_json, print_table, say

if TYPE_CHECKING:
    from ..audit.entry import Values
    from ..audit.trail import AuditTrail

_WIDE = 70


def audit(
    action: Annotated[
        str | None, typer.Option(help="Only this, such as key.revoke; key.* is everything about keys.")
    ] = None,
    object_id: Annotated[str | None, typer.Option("--object", metavar="ID", help="Only about this one.")] = None,
    tenant: Annotated[str | None, typer.Option(help="Only this tenant's.")] = None,
    key: Annotated[str | None, typer.Option(metavar="ID", help="Only what was done with this key.")] = None,
    first: Annotated[
        str | None, typer.Option("--from", metavar="TIME", help="Not before: 2026-11-01, or 7d for the last 7 days.")
    ] = None,
    limit: Annotated[int, typer.Option(min=1, max=100_000, help="How many at most.")] = 50,
    config: ConfigOption = None,
    as_json: JsonFlag = False,
) -> None:
    """List who changed keys, tenants, limits, budgets, silences and the cache, the latest first."""
    from ..audit.entry import shown
    from ..audit.repository import AuditFilter

    with opened(config) as trail:
        since_ms = _since_ms(first) if first is not None else None
        wanted = AuditFilter(tenant=tenant, action=action, object=object_id, key_id=key, since_ms=since_ms)
        found = [shown(each, None) for each in trail.repository.find(wanted, limit)]
    if as_json:
        print_json(found)
    elif not found:
        say("no entries: nothing has been changed, or nothing that fits")
    else:
        print_table(["at", "who", "did", "object", "tenant", "change", "why"], map(_row, found))


@contextmanager
def opened(config: Path | None) -> Iterator["AuditTrail"]:
    """The trail in the configuration's database; errors end the command cleanly."""
    with clean_errors():
        from ..audit.repository import AuditRepository
        from ..audit.trail import AuditTrail
        from ..clock import SystemClock
        from ..config import load_settings
        from ..opening import open_identity

        identity = open_identity(load_settings(config))
        try:
            yield AuditTrail(AuditRepository(identity.database), SystemClock())
        finally:
            identity.close()


def note_change(
    config: Path | None,
    action: str,
    object_id: str,
    *,
    tenant: str | None,
    before: "Values | None" = None,
    after: "Values | None" = None,
    reason: str | None = None,
) -> None:
    """Write down what a command has just done, under the name of whoever runs it."""
    from ..audit.entry import Actor

    with opened(config) as trail:
        actor = Actor(whoami(), "admin")
        trail.note(actor, action, object_id, tenant=tenant, before=before, after=after, reason=reason)
        for problem in trail.problems():
            say(f"warning: {problem}")


def whoami() -> str:
    import getpass

    try:
        return f"{getpass.getuser()} (shell)"
    except (KeyError, OSError):  # a container whose user has no name
        return "shell"


def _since_ms(text: str) -> int:
    import time

    from ..telemetry.rollups.window import moment_of

    ago = text if text.startswith("now") or not text[-1:].isalpha() or "T" in text else f"now-{text}"
    return moment_of(ago, time.time(), "from") * 1000


def _row(entry: Mapping[str, Any]) -> list[str]:
    actor = entry["actor"]
    who = f"{actor['name']} ({actor['role']})"
    return [
        entry["at"],
        who,
        entry["action"],
        entry["object"],
        entry["tenant"] or "",
        _change(entry["before"], entry["after"]),
        (entry["reason"] or "")[:_WIDE],
    ]


def _change(before: Mapping[str, Any] | None, after: Mapping[str, Any] | None) -> str:
    sides = [_said(side) for side in (before, after) if side]
    text = " → ".join(sides)
    return text if len(text) <= _WIDE else f"{text[: _WIDE - 1]}…"


def _said(values: Mapping[str, Any]) -> str:
    return ", ".join(f"{name}={value}" for name, value in values.items())
