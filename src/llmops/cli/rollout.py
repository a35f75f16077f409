"""``llmops rollout``: plan, start, watch and order rollouts.

Whoever has the database is an administrator. Without ``--tenant`` a rollout is shared. The running gateways do the
work and follow an order within a second or two.
"""

import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, Literal

import typer

from .audit import note_change, whoami
from .output import ConfigOption, JsonFlag, clean_errors, print_json, print_table, say
from .release import read_values
from .rollout_arms import ARM, print_arms, print_expected
from .rollout_copies import print_copies, print_expected_copies

if TYPE_CHECKING:
    from ..assembly.releases import ReleaseFigures
    from ..rollout.directory import RolloutDirectory

app = typer.Typer(help="Rollouts: traffic moves to a candidate as the evidence allows.", no_args_is_help=True)

TenantOption = Annotated[str | None, typer.Option(help="Whose it is. Default: shared, seen by all.")]
RolloutArgument = Annotated[str, typer.Argument(metavar="ROLLOUT", help="ro- and 16 hexadecimal digits.")]
PlanArgument = Annotated[Path, typer.Argument(help="The plan, YAML or JSON: name, candidate, steps, guards, …")]
ReasonOption = Annotated[str, typer.Option(help="Why, for the record.")]
ByOption = Annotated[str, typer.Option(help="Who does it, for the record. Default: your name on this machine.")]
_WIDTH = 60
_BARS = " ▁▂▃▄▅▆▇█"


@contextmanager
def opened(config: Path | None) -> Iterator[tuple["RolloutDirectory", "ReleaseFigures"]]:
    """The rollouts of the configured database; errors end the command cleanly."""
    with clean_errors():
        from ..assembly.releases import ReleaseFigures, configured_models, open_directory
        from ..assembly.rollouts import open_rollouts
        from ..clock import SystemClock
        from ..config import load_settings
        from ..opening import open_identity
        from ..telemetry.rollups.overview import Overview

        settings, clock = load_settings(config), SystemClock()
        identity = open_identity(settings)
        try:
            database = identity.database
            releases = open_directory(database, clock, lambda: configured_models(settings, clock))
            yield open_rollouts(database, clock, releases), ReleaseFigures(Overview(database, clock.now_s))
        finally:
            identity.close()


@app.command("plan")
def plan(
    file: PlanArgument, tenant: TenantOption = None, config: ConfigOption = None, as_json: JsonFlag = False
) -> None:
    """Check a plan, and say what each step would need at the traffic of today."""
    with opened(config) as (rollouts, figures):
        from ..rollout.plan import read_plan

        told = rollouts.planned(read_plan(read_values(file)), tenant, figures)
    if as_json:
        print_json(told)
        return
    typer.echo(f"{told['plan']['name']}: {told['stable']} -> {told['plan']['candidate']} ({told['plan']['kind']})")
    if told["experiment"] is not None:
        print_expected(told, _time)
        return
    if told["mirrored"] is not None:
        print_expected_copies(told, _time)
        return
    print_table(
        ["step", "units of the candidate", "time", "because of"],
        [
            [f"{each['percent']:g} %", f"{each['units']:,}", _time(each["seconds"]), each["by"]]
            for each in told["steps"]
        ],
    )
    say(f"{told['calls_per_hour']:,.1f} calls an hour in the last day; in all {_time(told['seconds'])}")


@app.command("start")
def start(
    file: PlanArgument,
    tenant: TenantOption = None,
    at: Annotated[
        str | None, typer.Option(metavar="TIME", help="When it begins, with a zone: 2026-11-23T08:00Z. Default: now.")
    ] = None,
    reason: ReasonOption = "",
    by: ByOption = "",
    config: ConfigOption = None,
    as_json: JsonFlag = False,
) -> None:
    """Start a rollout by its plan, now or at a given time."""
    with opened(config) as (rollouts, _):
        from ..rollout.plan import read_plan
        from ..rollout.rollout import shown

        made = rollouts.start(read_plan(read_values(file)), tenant, by=by or whoami(), reason=reason, at=at)
        after = {"name": made.name, "candidate": made.plan.candidate, "kind": made.plan.kind, "share": made.share}
        note_change(config, "rollout.start", made.id, tenant=tenant, after=after, reason=reason)
    if as_json:
        print_json(shown(made))
        return
    typer.echo(made.id)
    if at is not None:
        say(f"{made.saying}, if {made.plan.candidate} may serve then; rollback cancels it")
        return
    does = "calls are mirrored to" if made.plan.kind == "shadow" else "units get"
    say(f"{made.share:.4g} of the {does} {made.plan.candidate}; running gateways follow within a second")


@app.command("list")
def list_(
    name: Annotated[str | None, typer.Option(help="Only of this name.")] = None,
    tenant: Annotated[str | None, typer.Option(help="What this tenant sees. Default: all.")] = None,
    limit: Annotated[int, typer.Option(min=1, max=10_000, help="How many.")] = 50,
    before: Annotated[str | None, typer.Option(metavar="ROLLOUT", help="Those before this one: the next page.")] = None,
    config: ConfigOption = None,
    as_json: JsonFlag = False,
) -> None:
    """List rollouts, the newest first."""
    with opened(config) as (rollouts, _):
        from ..rollout.rollout import shown

        found = [shown(each) for each in rollouts.repository.find(tenant, name=name, limit=limit, before=before)]
    if as_json:
        print_json(found)
    elif not found:
        say("no rollouts")
    else:
        print_table(_COLUMNS, map(_row, found))
        if len(found) == limit:
            say(f"older ones: --before {found[-1]['id']}")


@app.command("status")
def status(
    rollout: RolloutArgument,
    watch: Annotated[bool, typer.Option("--watch", help="Again every second, until it has ended.")] = False,
    tenant: TenantOption = None,
    config: ConfigOption = None,
    as_json: JsonFlag = False,
) -> None:
    """Show how a rollout stands: its evidence over time and its decisions."""
    with opened(config) as (rollouts, _):
        while True:
            told = rollouts.status(rollout, tenant)
            if as_json:
                print_json(told)
            else:
                if watch:
                    typer.echo("\x1b[2J\x1b[H", nl=False)
                _print_status(told)
            if not watch or told["status"] in ("promoted", "rolled_back"):
                return
            time.sleep(1.0)


@app.command("pause")
def pause(
    rollout: RolloutArgument,
    reason: ReasonOption = "",
    tenant: TenantOption = None,
    by: ByOption = "",
    config: ConfigOption = None,
    as_json: JsonFlag = False,
) -> None:
    """Keep the share as it is until somebody resumes."""
    _order(rollout, "pause", reason, tenant, by, config, as_json)


@app.command("resume")
def resume(
    rollout: RolloutArgument,
    reason: ReasonOption = "",
    tenant: TenantOption = None,
    by: ByOption = "",
    config: ConfigOption = None,
    as_json: JsonFlag = False,
) -> None:
    """Go on deciding; after a deadline with another one."""
    _order(rollout, "resume", reason, tenant, by, config, as_json)


@app.command("promote")
def promote(
    rollout: RolloutArgument,
    reason: ReasonOption = "",
    tenant: TenantOption = None,
    by: ByOption = "",
    config: ConfigOption = None,
    as_json: JsonFlag = False,
) -> None:
    """Go one step up without waiting for evidence; from the last step the candidate becomes live."""
    _order(rollout, "promote", reason, tenant, by, config, as_json)


@app.command("rollback")
def rollback(
    rollout: RolloutArgument,
    reason: ReasonOption = "",
    tenant: TenantOption = None,
    by: ByOption = "",
    config: ConfigOption = None,
    as_json: JsonFlag = False,
) -> None:
    """Give all traffic back to the stable release at once; also after the end."""
    _order(rollout, "rollback", reason, tenant, by, config, as_json)


def _order(
    rollout: str,
    what: Literal["pause", "resume", "promote", "rollback"],
    reason: str,
    tenant: str | None,
    by: str,
    config: Path | None,
    as_json: bool,
) -> None:
    with opened(config) as (rollouts, _):
        from ..rollout.rollout import shown

        after, decision = rollouts.order(rollout, what, tenant, by=by or whoami(), reason=reason)
        told = {"status": after.state.status, "share": decision.share, "action": decision.action}
        note_change(config, f"rollout.{what}", rollout, tenant=after.tenant, after=told, reason=reason)
    if as_json:
        print_json(shown(after))
        return
    does = "of the calls are mirrored" if after.plan.kind == "shadow" else "of the units are the candidate's"
    typer.echo(f"{rollout}: {after.state.status}, {after.share:.4g} {does}")
    say("running gateways follow within a second")


_COLUMNS = ["rollout", "name", "status", "share", "units", "candidate", "tenant", "began (UTC)", "by"]


def _row(rollout: dict[str, Any]) -> list[str]:
    return [
        rollout["id"],
        rollout["name"],
        rollout["status"],
        f"{rollout['share']:.2%}",
        f"{rollout['units']:,}",
        rollout["candidate"],
        rollout["tenant"] or "(shared)",
        rollout["created_at"][:16].replace("T", " "),
        rollout["created_by"],
    ]


def _print_status(told: dict[str, Any]) -> None:
    print_table(_COLUMNS, [_row(told)])
    if told["arms"]:
        print_arms(told, _drawn)
    elif told["mirrored"] is not None:
        print_copies(told)
    else:
        typer.echo(f"\nsteps {', '.join(f'{each:g} %' for each in told['steps'])}; now: {told['saying']}\n")
    rows = []
    for guard in told["guards"]:
        if guard["guard"].startswith(ARM):
            continue
        marks = [each for each in told["evidence"] if each["guard"] == guard["guard"]]
        rows.append(
            [
                guard["guard"],
                guard["verdict"],
                f"{guard['candidate_n']:,} / {guard['stable_n']:,}",
                _interval(guard),
                f"{guard['log_e']:.2f} of {guard['log_threshold']:.2f}",
                _drawn([each["log_e"] for each in marks], guard["log_threshold"]),
            ]
        )
    if rows:
        print_table(["guard", "verdict", "candidate / stable", "gain", "log e", "log e over time"], rows)
    print_table(
        ["at (UTC)", "decision", "share", "by", "reason"],
        [
            [each["at"][:19].replace("T", " "), each["action"], f"{each['share']:.2%}", each["by"], each["reason"]]
            for each in told["decisions"][:20]
        ],
    )


def _interval(guard: dict[str, Any]) -> str:
    if guard["estimate"] is None:
        return "-"
    lower, upper = (f"{guard[side]:.3g}" if guard[side] is not None else "?" for side in ("lower", "upper"))
    return f"{guard['estimate']:.3g} [{lower}, {upper}], margin {guard['margin']:.3g}"


def _drawn(values: list[float], threshold: float) -> str:
    """A line of bars up to what rolls back, marked where it was reached."""
    if len(values) > _WIDTH:
        values = [values[number * len(values) // _WIDTH] for number in range(_WIDTH - 1)] + values[-1:]
    last = len(_BARS) - 1
    return "".join(
        "!" if value >= threshold else _BARS[max(0, min(last, round(value / threshold * last)))] for value in values
    )


def _time(seconds: float | None) -> str:
    if seconds is None:
        return "unknown: no traffic"
    for size, unit in ((86_400, "d"), (3600, "h"), (60, "min")):
        if seconds >= size:
            return f"{seconds / size:.1f} {unit}"
    return f"{seconds:.0f} s"
