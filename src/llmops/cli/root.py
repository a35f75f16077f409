"""The command tree: groups are added here, and `version` lives here because it needs no file of its own."""

import typer

from ..version import __version__
from . import (
    alerts,
    audit,
    budgets,
    cache,
    cache_measure,
    config,
    dashboard,
    datasets_files,
    demo,
    dev,
    doctor,
    eval_report,
    export,
    flags,
    gate_baselines,
    keys,
    limits,
    monitoring,
    prompts_files,
    reconcile,
    release,
    review,
    rollout,
    scores,
    serve,
    slo,
    stats,
    tenants,
    traces,
    usage,
)
from .output import JsonFlag, print_json

app = typer.Typer(
    name="llmops",
    help="LLMOps Lab: a gateway that every model call of your applications goes through.",
    no_args_is_help=True,
    pretty_exceptions_enable=False,
    rich_markup_mode=None,
    add_completion=False,
    context_settings={"help_option_names": ["-h", "--help"]},
)
app.command("serve")(serve.serve)
app.command("dashboard")(dashboard.dashboard)
app.command("demo")(demo.demo)
app.add_typer(config.app, name="config")
app.add_typer(keys.app, name="keys")
app.add_typer(tenants.app, name="tenants")
app.add_typer(limits.app, name="limits")
app.add_typer(budgets.app, name="budgets")
cache.app.command("measure")(cache_measure.measure)
app.add_typer(cache.app, name="cache")
app.command("usage")(usage.usage)
app.command("stats")(stats.stats)
app.add_typer(traces.app, name="traces")
app.add_typer(slo.app, name="slo")
app.add_typer(alerts.app, name="alerts")
app.command("audit")(audit.audit)
app.add_typer(monitoring.app, name="monitoring")
app.add_typer(scores.app, name="scores")
app.add_typer(eval_report.app, name="eval")
app.add_typer(gate_baselines.app, name="gate")
app.add_typer(datasets_files.app, name="datasets")
app.add_typer(review.app, name="review")
app.add_typer(prompts_files.app, name="prompts")
app.add_typer(release.app, name="release")
app.add_typer(rollout.app, name="rollout")
app.add_typer(flags.app, name="flags")
app.add_typer(export.app, name="export")
app.command("reconcile")(reconcile.reconcile)
app.command("doctor")(doctor.doctor)
app.add_typer(dev.app, name="dev")


@app.command("version")
def version(as_json: JsonFlag = False) -> None:
    """Print the version."""
    if as_json:
        print_json({"version": __version__})
    else:
        typer.echo(f"llmops {__version__}")
