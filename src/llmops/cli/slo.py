"""``llmops slo``: how the objectives stand, computed from the database after the log has been read to its end."""

from typing import TYPE_CHECKING, Any

import typer

from .output import ConfigOption, JsonFlag, clean_errors, print_json, print_table, say
from .usage import catch_up

if TYPE_CHECKING:
    from ..monitoring.slo.status import Standing

app = typer.Typer(help="Objectives (SLOs) and their error budgets.", no_args_is_help=True)

_HOUR_S, _DAY_S = 3600, 86_400
_COLUMNS = ("objective", "of", "state", "target", "good", "budget left", "burn 1h", "burn 6h", "burn 3d", "lasts")


@app.callback()
def slo() -> None:
    """A group, though it has one command so far."""


@app.command("status")
def status(config: ConfigOption = None, as_json: JsonFlag = False) -> None:
    """Show every objective's error budget, and how fast it burns. Exit status 1 while an alert of one would fire."""
    import time

    with clean_errors():
        from ..config import load_settings
        from ..monitoring.slo.directory import SLODirectory
        from ..monitoring.slo.score_counts import ScoreCounts
        from ..monitoring.slo.status import shown
        from ..opening import open_identity, open_log
        from ..spend.usage.directory import UsageDirectory
        from ..telemetry.assessments.repository.counts import AssessmentCounts
        from ..telemetry.rollups.overview import Overview

        settings = load_settings(config)
        identity = open_identity(settings)
        try:
            catch_up(UsageDirectory(identity.database, open_log(settings).path, lambda: settings.traces.keeps_texts))
            overview = Overview(identity.database, time.time)
            scores = ScoreCounts(AssessmentCounts(identity.database))
            found = SLODirectory(overview, lambda: settings.slos, time.time, scores).standings()
        finally:
            identity.close()
    if as_json:
        print_json([shown(each) for each in found])
    elif not found:
        say("no objectives are configured, or none of their calls has come yet; they stand under `slos`")
    else:
        print_table(_COLUMNS, [_row(each) for each in found])
    if any(each.alerts for each in found):
        raise typer.Exit(1)


def _row(standing: "Standing") -> list[str]:
    target = standing.objective.target
    return [
        standing.objective.name,
        " ".join(each for each in standing.group if each),
        standing.state,
        f"{target:.4g}" if target is not None else f"${standing.objective.limit:,.2f}",
        _share(standing.ratio) if target is not None else f"${standing.budget.used:,.2f}",
        f"{standing.budget.left:.1%}",
        *(_number(standing.burn[name]) for name in ("1h", "6h", "3d")),
        _lasts(standing.budget.exhausted_in_s),
    ]


def _share(ratio: float | None) -> str:
    return "" if ratio is None else f"{ratio:.3%}"


def _number(value: Any) -> str:
    return "" if value is None else f"{value:.2f}"


def _lasts(seconds: float | None) -> str:
    if seconds is None:
        return ""
    return f"{seconds / _DAY_S:.1f} d" if seconds >= _DAY_S else f"{seconds / _HOUR_S:.1f} h"
