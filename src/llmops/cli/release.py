"""``llmops release``: make releases, let them go live, go back, record the gate's verdicts.

Whoever has the database is an administrator. Without ``--tenant`` a release is shared: seen by all. Running gateways
follow within a second.
"""

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from .audit import note_change, whoami
from .output import ConfigOption, JsonFlag, clean_errors, print_json, print_table, say

if TYPE_CHECKING:
    from ..assembly.releases import ReleaseFigures
    from ..releases.directory import ReleaseDirectory
    from ..releases.release import Move

app = typer.Typer(help="Releases: immutable bundles behind a public name, and which is live.", no_args_is_help=True)

TenantOption = Annotated[str | None, typer.Option(help="Whose it is. Default: shared, seen by all.")]
ReleaseArgument = Annotated[str, typer.Argument(metavar="RELEASE", help="rel- and 16 hexadecimal digits.")]
ReasonOption = Annotated[str, typer.Option(help="Why, for the record.")]
ByOption = Annotated[str, typer.Option(help="Who does it, for the record. Default: your name on this machine.")]


@contextmanager
def opened(config: Path | None) -> Iterator[tuple["ReleaseDirectory", "ReleaseFigures"]]:
    """The releases of the configured database; errors end the command cleanly."""
    with clean_errors():
        from ..assembly.releases import ReleaseFigures, configured_models, open_directory
        from ..clock import SystemClock
        from ..config import load_settings
        from ..opening import open_identity
        from ..telemetry.rollups.overview import Overview

        settings, clock = load_settings(config), SystemClock()
        identity = open_identity(settings)
        try:
            figures = ReleaseFigures(Overview(identity.database, clock.now_s))
            models = lambda: configured_models(settings, clock)  # noqa: E731 - only where one is asked for
            yield open_directory(identity.database, clock, models), figures
        finally:
            identity.close()


@app.command("create")
def create(
    file: Annotated[Path, typer.Argument(help="The bundle, YAML or JSON: name, model, prompt, parameters, …")],
    tenant: TenantOption = None,
    reason: ReasonOption = "",
    parent: Annotated[str | None, typer.Option(help="What it was made from. Default: the live release.")] = None,
    by: ByOption = "",
    config: ConfigOption = None,
    as_json: JsonFlag = False,
) -> None:
    """Make a release of a bundle. The same bundle is the same release."""
    with opened(config) as (releases, _):
        from ..releases.card import shown
        from ..releases.directory import described

        made, is_new = releases.create(read_values(file), tenant, by=_who(by), reason=reason, parent=parent)
        if is_new:
            after = described(made.bundle)
            note_change(config, "release.create", made.id, tenant=tenant, after=after, reason=reason)
    if as_json:
        print_json({**shown(made), "new": is_new})
        return
    typer.echo(made.id)
    if not is_new:
        say("this bundle is a release already")
    elif made.bundle.requires_gate:
        say("it takes no traffic before the gate has passed it")


@app.command("list")
def list_(
    name: Annotated[str | None, typer.Option(help="Only of this name.")] = None,
    tenant: Annotated[str | None, typer.Option(help="What this tenant sees. Default: all.")] = None,
    limit: Annotated[int, typer.Option(min=1, max=10_000, help="How many.")] = 50,
    config: ConfigOption = None,
    as_json: JsonFlag = False,
) -> None:
    """List releases, the newest first."""
    with opened(config) as (releases, _):
        from ..releases.card import shown

        live = {(each.tenant, each.name): each for each in releases.repository.pointers(tenant)}
        found = [
            shown(each, live.get((each.tenant, each.bundle.name)))
            for each in releases.repository.find(tenant, name=name, limit=limit)
        ]
    if as_json:
        print_json(found)
    elif not found:
        say("no releases")
    else:
        print_table(_COLUMNS, map(_row, found))


@app.command("show")
def show(
    release: ReleaseArgument, tenant: TenantOption = None, config: ConfigOption = None, as_json: JsonFlag = False
) -> None:
    """Show a release's bundle."""
    with opened(config) as (releases, _):
        from ..releases.card import shown

        found = releases.get(release, tenant)
        told = shown(found, releases.pointer(found.bundle.name, found.tenant))
    if as_json:
        print_json(told)
        return
    print_table(_COLUMNS, [_row(told)])
    print_json(told["bundle"])


@app.command("card")
def card(
    release: ReleaseArgument,
    window: Annotated[str, typer.Option(help="Of the live figures, e.g. 24h or 7d.")] = "24h",
    tenant: TenantOption = None,
    config: ConfigOption = None,
    as_json: JsonFlag = False,
) -> None:
    """Show all that is known of a release: lineage, gate, evals, rollouts, live figures."""
    with opened(config) as (releases, figures):
        from ..releases.card import Cards

        told = Cards(releases, figures=figures).card(release, tenant, window=window)
    if as_json:
        print_json(told)
    else:
        _print_card(told)


@app.command("live")
def live(
    release: ReleaseArgument,
    reason: Annotated[str, typer.Option(help="Why, for the record.")],
    expected: Annotated[str | None, typer.Option(help="Refuse if another than this release is live by now.")] = None,
    tenant: TenantOption = None,
    by: ByOption = "",
    config: ConfigOption = None,
    as_json: JsonFlag = False,
) -> None:
    """Make a release the live one of its name."""
    with opened(config) as (releases, _):
        _found, move = releases.live(release, tenant, by=_who(by), reason=reason, expected=expected)
        _note_move(config, "release.live", move)
    _print_move(move, as_json)


@app.command("rollback")
def rollback(
    name: Annotated[str, typer.Argument(metavar="NAME", help="The released name.")],
    reason: Annotated[str, typer.Option(help="Why, for the record.")],
    tenant: TenantOption = None,
    by: ByOption = "",
    config: ConfigOption = None,
    as_json: JsonFlag = False,
) -> None:
    """Go back to the release that was live before."""
    with opened(config) as (releases, _):
        _found, move = releases.rollback(name, tenant, by=_who(by), reason=reason)
        _note_move(config, "release.rollback", move)
    _print_move(move, as_json)


@app.command("diff")
def diff(
    before: ReleaseArgument,
    after: ReleaseArgument,
    tenant: TenantOption = None,
    config: ConfigOption = None,
    as_json: JsonFlag = False,
) -> None:
    """Show what differs between two releases."""
    import msgspec

    with opened(config) as (releases, _):
        changes = releases.difference(before, after, tenant)
    if as_json:
        print_json(msgspec.to_builtins(changes))
    elif not changes:
        say("they are the same")
    else:
        _print_changes([{"field": each.field, "before": each.before, "after": each.after} for each in changes])


@app.command("verdict")
def verdict(
    release: ReleaseArgument,
    verdict: Annotated[str, typer.Argument(metavar="VERDICT", help="PASS, BLOCK, INCONCLUSIVE or ERROR.")],
    run: Annotated[list[str], typer.Option(help="An eval run that it rests on; repeatable. One is of this release.")],
    reason: ReasonOption = "",
    tenant: TenantOption = None,
    by: ByOption = "",
    config: ConfigOption = None,
    as_json: JsonFlag = False,
) -> None:
    """Record the gate's verdict on a release."""
    import msgspec

    with opened(config) as (releases, _):
        from ..errors import InvalidRequest
        from ..releases.release import GateVerdict

        try:
            wanted = msgspec.convert(verdict, GateVerdict)
        except msgspec.ValidationError as exc:
            raise InvalidRequest(f"{verdict[:40]!r} is no verdict: PASS, BLOCK, INCONCLUSIVE or ERROR") from exc
        judged = releases.judge(release, tenant, wanted, run, by=_who(by), reason=reason)
        after = {"verdict": judged.verdict, "run_ids": list(judged.run_ids)}
        note_change(config, "release.verdict", release, tenant=tenant, after=after, reason=reason)
    if as_json:
        print_json(msgspec.to_builtins(judged))
    else:
        typer.echo(f"{release}: {judged.verdict}")


_COLUMNS = ["release", "name", "live", "model", "prompt", "tenant", "made (UTC)", "by", "reason"]


def read_values(file: Path) -> dict[str, Any]:
    """A file's YAML or JSON as plain data."""
    import yaml

    from ..errors import ConfigError

    try:
        values = yaml.safe_load(file.read_text(encoding="utf-8"))
    except (OSError, UnicodeError, yaml.YAMLError) as exc:
        raise ConfigError([f"{file}: cannot be read: {exc}"], source="the file") from exc
    if not isinstance(values, dict):
        raise ConfigError([f"{file}: must hold names and values"], source="the file")
    return values


def _who(by: str) -> str:
    return by or whoami()


def _note_move(config: Path | None, action: str, move: "Move") -> None:
    note_change(
        config,
        action,
        move.name,
        tenant=move.tenant,
        before={"release_id": move.before},
        after={"release_id": move.after},
        reason=move.reason,
    )


def _row(release: dict[str, Any]) -> list[str]:
    return [
        release["id"],
        release["name"],
        "live" if release["live"] else "",
        release["model"],
        release["prompt"] or "",
        release["tenant"] or "(shared)",
        release["created_at"][:16].replace("T", " "),
        release["created_by"],
        release["reason"][:80],
    ]


def _print_move(move: "Move", as_json: bool) -> None:
    import msgspec

    if as_json:
        print_json(msgspec.to_builtins(move))
    else:
        typer.echo(f"{move.name}: {move.before or 'nothing'} -> {move.after}")
        say("running gateways follow within a second")


def _print_card(told: dict[str, Any]) -> None:
    print_table(_COLUMNS, [_row(told)])
    gate = told["gate"]
    required = "required" if gate["required"] else "not required"
    typer.echo(f"\ngate: {gate['verdict'] or 'no verdict'} ({required})")
    typer.echo("parents: " + (" <- ".join(each["id"] for each in told["lineage"]) or "none"))
    _print_changes(told["changed_from_parent"])
    if told["evals"]:
        typer.echo()
        print_table(
            ["eval run", "dataset", "state", "metrics"],
            [
                [each["run_id"], each["dataset"], each["state"], ", ".join(map(_metric, each["metrics"]))]
                for each in told["evals"]
            ],
        )
    if told["moves"]:
        typer.echo()
        print_table(
            ["at", "change", "before", "after", "by", "reason"],
            [[e["at"], e["change"], e["before"] or "", e["after"], e["by"], e["reason"]] for e in told["moves"]],
        )
    figures = told["figures"]
    typer.echo(
        f"\n{figures['calls']:,} calls, success {_share(figures['success_rate'])}, "
        f"p95 {figures['latency_ms']['p95'] or 0:g} ms, ${figures['usd']}"
    )


def _print_changes(changes: Sequence[dict[str, Any]]) -> None:
    from .datasets import text_of

    if changes:
        print_table(
            ["field", "before", "after"],
            [[each["field"], text_of(each["before"]), text_of(each["after"])] for each in changes],
        )


def _metric(metric: dict[str, Any]) -> str:
    mean = metric.get("mean")
    return f"{metric['name']} {mean:.3f}" if mean is not None else f"{metric['name']} -"


def _share(rate: float | None) -> str:
    return f"{rate:.2%}" if rate is not None else "unknown"
