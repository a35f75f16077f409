"""What ``llmops limits`` and ``llmops budgets`` share: opening the rules, and reading and printing them."""

from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from .audit import note_change
from .output import clean_errors, print_json, print_table, say

if TYPE_CHECKING:
    from ..spend.rule_directory import RuleDirectory
    from ..spend.stored_rule import Kind

Per = Annotated[
    list[str] | None,
    typer.Option(
        metavar="WHAT",
        help="Count separately for each tenant, key, user, ip, model or tag:<name>; repeatable. Default: one count.",
    ),
]
Where = Annotated[
    list[str] | None,
    typer.Option(
        metavar="WHAT=VALUE",
        help="Only calls of this tenant, key, user, ip or model, e.g. tenant=acme; * matches; repeatable.",
    ),
]
Name = Annotated[str | None, typer.Option(help="Shown to whoever it refuses. Default: a description.")]
RuleId = Annotated[str, typer.Argument(metavar="ID", help="The id that `list` shows.")]

_SHOWN_BESIDE = ("id", "source", "tenant", "created_at", "name", "per", "where", "used")


@contextmanager
def opened(config: Path | None) -> Iterator["RuleDirectory"]:
    """The rules of the configuration and of its database; errors end the command cleanly."""
    with clean_errors():
        from ..clock import SystemClock
        from ..config import load_settings
        from ..opening import build_rules, open_identity
        from ..spend.rule_directory import RuleDirectory

        settings = load_settings(config)
        identity = open_identity(settings)
        try:
            yield RuleDirectory(
                identity.database,
                SystemClock(),
                is_tenant=identity.registry.has_tenant,
                configured=lambda: build_rules(settings),
            )
        finally:
            identity.close()


def list_rules(kind: "Kind", config: Path | None, *, as_json: bool) -> None:
    with opened(config) as rules:
        shown = rules.shown(kind)
    if as_json:
        print_json([{name: value for name, value in rule.items() if name != "used"} for rule in shown])
    elif not shown:
        say(f"no {kind}s; add one with `llmops {kind}s add`, or in the configuration")
    else:
        print_table(["id", "source", "name", kind, "per", "where"], map(_row, shown))


def add_rule(
    kind: "Kind",
    values: Mapping[str, Any],
    per: Sequence[str] | None,
    where: Sequence[str] | None,
    config: Path | None,
    *,
    as_json: bool,
) -> None:
    """Check what was asked for and keep it; None among ``values`` was not given."""
    with opened(config) as rules:
        from ..spend.rule_registry import bound_tenant
        from ..spend.rule_shown import show_stored
        from ..spend.stored_rule import read_settings

        given = {name: value for name, value in values.items() if value is not None}
        wanted = read_settings(kind, {**given, "per": list(per or ()), "where": _read_where(where or ())})
        shown = show_stored(rule := rules.registry.add(wanted))
        note_change(config, f"{kind}.add", rule.id, tenant=bound_tenant(rule), after=rule.settings)
    if as_json:
        print_json({name: value for name, value in shown.items() if name != "used"})
    else:
        typer.echo(shown["id"])
        say(f"the {kind} {_bounds(shown)} is kept under this id; running gateways follow within a second")


def remove_rule(kind: "Kind", rule_id: str, config: Path | None, *, as_json: bool) -> None:
    with opened(config) as rules:
        from ..spend.rule_registry import bound_tenant
        from ..spend.rule_shown import show_stored

        shown = show_stored(rule := rules.registry.remove(kind, rule_id))
        note_change(config, f"{kind}.remove", rule.id, tenant=bound_tenant(rule), before=rule.settings)
    if as_json:
        print_json({name: value for name, value in shown.items() if name != "used"})
    else:
        say(f"the {kind} {rule_id} ({_bounds(shown)}) is removed; running gateways follow within a second")


def _read_where(pairs: Sequence[str]) -> dict[str, str]:
    from ..errors import InvalidRequest

    where: dict[str, str] = {}
    for pair in pairs:
        what, equals, value = (part.strip() for part in pair.partition("="))
        if not equals or not what or not value:
            raise InvalidRequest(f"--where is written WHAT=VALUE, such as tenant=acme; {pair[:80]!r} is not")
        if what in where:
            raise InvalidRequest(f"--where {what} is given twice; a pattern such as {what}='gpt-*' fits several")
        where[what] = value
    return where


def _row(rule: Mapping[str, Any]) -> list[str]:
    where = ", ".join(f"{what}={value}" for what, value in rule["where"].items())
    return [rule["id"], rule["source"], rule["name"], _bounds(rule), ", ".join(rule["per"]) or "all together", where]


def _bounds(rule: Mapping[str, Any]) -> str:
    """What a rule bounds, in a few words; flags that are off are left out."""
    bounds = {name: value for name, value in rule.items() if name not in _SHOWN_BESIDE}
    if "usd" in bounds:
        return f"${bounds['usd']} per {bounds['window']}".replace("per total", "in all") + (
            "" if bounds["hard"] else ", soft"
        )
    shadow = ", shadow" if bounds.pop("shadow", False) else ""
    return ", ".join(f"{name.replace('_', ' ')} {_number(value)}" for name, value in bounds.items()) + shadow


def _number(value: Any) -> str:
    return f"{value:g}" if isinstance(value, float) else str(value)
