"""``llmops alerts``: what fires and what was, silences, and a test message to a receiver.

The gateway that runs looks at the rules; these commands read and write its database. ``test`` sends by itself.
"""

from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from .audit import note_change, whoami
from .output import ConfigOption, JsonFlag, clean_errors, print_json, print_table, say

if TYPE_CHECKING:
    from ..alert_settings import AlertSettings
    from ..monitoring.alerts.directory import AlertDirectory

app = typer.Typer(help="See what fires, silence it, and test who is told.", no_args_is_help=True)


@contextmanager
def opened(config: Path | None) -> Iterator[tuple["AlertDirectory", "AlertSettings"]]:
    """The alerts of the configuration's database; errors end the command cleanly."""
    with clean_errors():
        from ..clock import SystemClock
        from ..config import load_settings
        from ..monitoring.alerts.directory import AlertDirectory
        from ..opening import open_identity

        settings = load_settings(config)
        identity = open_identity(settings)
        try:
            yield AlertDirectory(identity.database, lambda: settings.alerts, SystemClock()), settings.alerts
        finally:
            identity.close()


@app.command("list")
def list_alerts(config: ConfigOption = None, as_json: JsonFlag = False) -> None:
    """List the alerts that fire or are about to, and the silences that hold."""
    with opened(config) as (alerts, _):
        found, silences = alerts.current(None), alerts.silences(None)
    if as_json:
        print_json({"alerts": found, "silences": silences})
        return
    if found:
        columns = ["severity", "state", "rule", "labels", "since", "what", "silenced"]
        print_table(columns, [_alert_row(each) for each in found])
    else:
        say("no alerts")
    if silences:
        print_table(
            ["silence", "matches", "until", "by", "reason"],
            [[e["id"], _pairs(e["matchers"]), e["until"], e["created_by"], e["reason"]] for e in silences],
        )


@app.command("history")
def history(
    rule: Annotated[str | None, typer.Option(help="Of this rule alone.")] = None,
    limit: Annotated[int, typer.Option(min=1, max=10_000, help="How many.")] = 50,
    config: ConfigOption = None,
    as_json: JsonFlag = False,
) -> None:
    """List how alerts have changed, latest first."""
    with opened(config) as (alerts, _):
        found = alerts.history(None, rule=rule, limit=limit)
    if as_json:
        print_json(found)
    elif not found:
        say("nothing has happened")
    else:
        print_table(
            ["at", "change", "severity", "rule", "labels", "value"],
            [[e["at"], e["change"], e["severity"], e["rule"], _pairs(e["labels"]), _number(e["value"])] for e in found],
        )


@app.command("silence")
def silence(
    matchers: Annotated[
        list[str], typer.Argument(metavar="WHAT=PATTERN...", help="A label, rule or severity; * matches; all must fit.")
    ],
    reason: Annotated[str, typer.Option(help="Why, for whoever wonders later.")],
    hours: Annotated[float, typer.Option(help="How long.")] = 2.0,
    config: ConfigOption = None,
    as_json: JsonFlag = False,
) -> None:
    """Announce matching alerts to nobody for a time, and print the silence's id."""
    with opened(config) as (alerts, _):
        wanted = _read_matchers(matchers)
        made = alerts.silence(None, wanted, seconds=hours * 3600, created_by=whoami(), reason=reason)
    after = {"matchers": made["matchers"], "until": made["until"]}
    note_change(config, "silence.add", made["id"], tenant=None, after=after, reason=reason)
    if as_json:
        print_json(made)
    else:
        typer.echo(made["id"])
        say(f"silent until {made['until']}; `llmops alerts unsilence {made['id']}` ends it")


@app.command("unsilence")
def unsilence(
    silence_id: Annotated[str, typer.Argument(metavar="ID", help="The id that `list` shows.")],
    config: ConfigOption = None,
    as_json: JsonFlag = False,
) -> None:
    """End a silence."""
    with opened(config) as (alerts, _):
        ended = alerts.unsilence(None, silence_id)
    before = {"matchers": ended["matchers"], "reason": ended["reason"]}
    note_change(config, "silence.end", silence_id, tenant=ended["tenant"], before=before)
    if as_json:
        print_json(ended)
    else:
        say(f"the silence {silence_id} is over")


@app.command("test")
def test(
    receiver: Annotated[str | None, typer.Argument(metavar="RECEIVER", help="Default: all.")] = None,
    config: ConfigOption = None,
    as_json: JsonFlag = False,
) -> None:
    """Send a test message to a receiver, or to all. Status 1: one could not be reached."""
    import asyncio

    from ..errors import NotFound

    with opened(config) as (alerts, settings):
        names = [each.name for each in settings.receivers if receiver in (None, each.name)]
        if not names:
            known = ", ".join(each.name for each in settings.receivers) or "none"
            raise NotFound(f"there is no receiver {receiver!r}; configured: {known}")
        results = asyncio.run(_send_tests(alerts, settings, names))
    if as_json:
        print_json([{"receiver": name, "error": error} for name, error in results.items()])
    else:
        print_table(["receiver", "result"], [[name, error or "delivered"] for name, error in results.items()])
    raise typer.Exit(1 if any(results.values()) else 0)


async def _send_tests(
    alerts: "AlertDirectory", settings: "AlertSettings", names: Sequence[str]
) -> dict[str, str | None]:
    import time

    from ..monitoring.alerts.receivers.opening import open_receivers
    from ..monitoring.alerts.receivers.receiver import DeliveryFailed

    receivers, results = open_receivers(settings), dict[str, str | None]()
    for name in names:
        try:
            await receivers[name].deliver(alerts.test_letter(name), time.time())
            results[name] = None
        except DeliveryFailed as exc:
            results[name] = exc.reason
    return results


def _read_matchers(pairs: Sequence[str]) -> dict[str, str]:
    from ..errors import InvalidRequest

    matchers: dict[str, str] = {}
    for pair in pairs:
        name, equals, pattern = (part.strip() for part in pair.partition("="))
        if not equals or not name or not pattern:
            raise InvalidRequest(f"what is silenced is written WHAT=PATTERN, such as rule=slow; {pair[:80]!r} is not")
        if name in matchers:
            raise InvalidRequest(f"{name} is given twice; a pattern with * fits several")
        matchers[name] = pattern
    return matchers


def _alert_row(alert: Mapping[str, Any]) -> list[str]:
    silenced = ", ".join(alert["silenced_by"])
    words = ("severity", "state", "rule")
    return [*(alert[word] for word in words), _pairs(alert["labels"]), alert["since"], alert["summary"], silenced]


def _pairs(values: Mapping[str, str]) -> str:
    return ", ".join(f"{name}={value}" for name, value in values.items())


def _number(value: float | None) -> str:
    return "" if value is None else f"{value:.4g}"
