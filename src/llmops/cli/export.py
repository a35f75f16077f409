"""``llmops export``: how far exports to other tools have come, and a comparison of the tools."""

from datetime import UTC, datetime
from typing import TYPE_CHECKING, Annotated, Any

import typer

from .output import ConfigOption, JsonFlag, clean_errors, print_json, print_table, say

if TYPE_CHECKING:
    from ..telemetry.export.comparison import ToolReport

app = typer.Typer(help="Exports of traces and scores to other tools.", no_args_is_help=True)

_COLUMNS = ("export", "kind", "delivered", "refused", "dropped", "skipped", "scores", "waiting", "as of", "state")


@app.command("status")
def status(config: ConfigOption = None, as_json: JsonFlag = False) -> None:
    """Show what became of spans and scores, export by export, as it was a few seconds ago."""
    with clean_errors():
        import msgspec

        from ..config import load_settings
        from ..opening import open_identity
        from ..telemetry.export.repository.exports import ExportRepository

        identity = open_identity(load_settings(config))
        try:
            found: list[dict[str, Any]] = [
                {**msgspec.to_builtins(each), "place": place, "updated_at_s": at_s}
                for place, each, at_s in ExportRepository(identity.database).all()
            ]
        finally:
            identity.close()
    if as_json:
        print_json(found)
    elif not found:
        say("nothing was exported yet; `exports` in the configuration names tools")
    else:
        print_table(_COLUMNS, map(_row, found))
        for each in found:
            for what in ("refused", "dropped"):
                for why, count in each["spans"].get(what, {}).items():
                    say(f"{each['name']}: {count:,} spans {what}: {why}")


@app.command("compare")
def compare(
    traces: Annotated[int, typer.Option(min=1, max=1000, help="Traces to send to each tool.")] = 10,
    markdown: Annotated[bool, typer.Option("--markdown", help="Print a Markdown table.")] = False,
    config: ConfigOption = None,
    as_json: JsonFlag = False,
) -> None:
    """Send the same made-up traces to every tool under `exports` and compare: spans sent, accepted, attributes kept,
    delay. Where a tool shows what it stored (this gateway, MLflow, Langfuse), it is read back."""
    with clean_errors():
        import os

        from ..config import load_settings
        from ..errors import ConfigError
        from ..telemetry.export.comparison import compare_tools
        from ..telemetry.export.destination import destinations_of
        from .usage import progress_bar

        settings = load_settings(config)
        if not settings.exports:
            raise ConfigError(["exports: there are none to compare"])
        destinations = destinations_of(settings.exports, os.environ, settings.traces.semconv)
        reports = []
        with progress_bar("asking the tools") as progress:
            for each in destinations:
                reports.append(compare_tools(each, traces))
                progress(len(reports), len(destinations))
    if as_json:
        import msgspec

        print_json([msgspec.to_builtins(report) for report in reports])
    elif markdown:
        typer.echo(_markdown(reports))
    else:
        print_table(_HEAD, map(_cells, reports))
        for report in reports:
            if report.lost:
                names = ", ".join(report.lost)
                say(f"{report.name}: not kept, or under another name or with another value: {names}")


_HEAD = ("tool", "kind", "sent", "accepted", "read back", "attributes kept", "answer", "delay", "said")


def _cells(report: "ToolReport") -> list[str]:
    return [
        report.name,
        report.kind,
        f"{report.sent:,}",
        f"{report.accepted:,}",
        "not shown" if report.stored is None else f"{report.stored:,}",
        "not shown" if report.kept is None else f"{report.kept} of {report.attributes}",
        f"{report.answer_ms:.1f} ms",
        "not shown" if report.delay_ms is None else f"{report.delay_ms:,.0f} ms",
        report.said,
    ]


def _markdown(reports: "list[ToolReport]") -> str:
    rows = [_HEAD, ["---"] * len(_HEAD), *[_cells(report) for report in reports]]
    return "\n".join(f"| {' | '.join(cell.replace('|', '/') for cell in row)} |" for row in rows)


def _row(each: dict[str, Any]) -> list[str]:
    spans, scores, waiting = each["spans"], each["scores"], each["waiting"]
    at = datetime.fromtimestamp(each["updated_at_s"], UTC)
    waits = [f"{waiting[what]:,} {what}" for what in ("calls", "spans", "scores") if waiting.get(what)]
    return [
        each["name"],
        each["kind"],
        f"{spans.get('delivered', 0):,}",
        f"{sum(spans.get('refused', {}).values()):,}",
        f"{sum(spans.get('dropped', {}).values()):,}",
        f"{spans.get('skipped', 0):,}",
        f"{scores.get('delivered', 0):,}",
        ", ".join(waits) or "nothing",
        f"{at:%Y-%m-%d %H:%M:%S}Z",
        each["failing"] or "well",
    ]
