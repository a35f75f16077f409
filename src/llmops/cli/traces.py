"""``llmops traces``: search calls and traces, look at one as a tree, and see which are slowest and dearest."""

import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from .output import ConfigOption, JsonFlag, clean_errors, print_json, print_table, say

if TYPE_CHECKING:
    from ..telemetry.traces.directory import TraceDirectory
    from ..telemetry.traces.query import Order
    from ..telemetry.traces.view import TraceView

app = typer.Typer(help="Calls and traces: search them, look at one.", no_args_is_help=True)

Since = Annotated[str | None, typer.Option("--from", metavar="TIME", help="e.g. now-24h, 2026-11-30T12:00:00Z.")]
Until = Annotated[str | None, typer.Option("--to", metavar="TIME", help="Its end.")]
Tenant = Annotated[str | None, typer.Option(help="Only this tenant's.")]
User = Annotated[str | None, typer.Option(help="Only this user's.")]
Session = Annotated[str | None, typer.Option(help="Only of this session.")]
Model = Annotated[str | None, typer.Option(help="Only with this model.")]
Release = Annotated[str | None, typer.Option(help="Only of this release.")]
State = Annotated[str | None, typer.Option(metavar="ok|error", help="Only those that went well, or did not.")]
Text = Annotated[str | None, typer.Option(metavar="WORDS", help="Only where these words were captured.")]
Limit = Annotated[int, typer.Option(min=1, max=1000, help="How many.")]
_BAR = 32


@app.command("list")
def list_(
    first: Since = None,
    last: Until = None,
    tenant: Tenant = None,
    user: User = None,
    session: Session = None,
    model: Model = None,
    release: Release = None,
    state: State = None,
    text: Text = None,
    limit: Limit = 20,
    cursor: Annotated[str | None, typer.Option(help="Where the page before said that it goes on.")] = None,
    config: ConfigOption = None,
    as_json: JsonFlag = False,
) -> None:
    """Show the newest calls and traces."""
    filters = {"user": user, "session": session, "model": model, "release_id": release, "state": state, "text": text}
    _list(config, "newest", (first, last), {"tenant": tenant, **filters}, limit, cursor, as_json)


@app.command()
def slowest(
    first: Since = "now-24h",
    last: Until = None,
    tenant: Tenant = None,
    model: Model = None,
    limit: Limit = 10,
    config: ConfigOption = None,
    as_json: JsonFlag = False,
) -> None:
    """Show what took longest, and which kinds of steps take the most time in all."""
    filters = {"tenant": tenant, "model": model}
    _list(config, "slowest", (first, last), filters, limit, None, as_json, steps=True)


@app.command()
def dearest(
    first: Since = "now-24h",
    last: Until = None,
    tenant: Tenant = None,
    model: Model = None,
    limit: Limit = 10,
    config: ConfigOption = None,
    as_json: JsonFlag = False,
) -> None:
    """Show what cost most."""
    _list(config, "dearest", (first, last), {"tenant": tenant, "model": model}, limit, None, as_json)


@app.command()
def show(
    trace_id: str,
    tenant: Tenant = None,
    limit: Annotated[int, typer.Option(min=1, max=100_000, help="At most so many spans.")] = 1000,
    config: ConfigOption = None,
    as_json: JsonFlag = False,
) -> None:
    """Show one trace as a tree, each span with its time."""
    import msgspec

    from ..errors import NotFound

    with opened(config) as traces:
        found = traces.read(trace_id.lower(), tenant, limit=limit)
        if found is None:
            raise NotFound(f"there is no trace {trace_id[:40]!r}")
        if as_json:
            print_json(msgspec.to_builtins(found))
        else:
            _print_tree(found)


@contextmanager
def opened(config: Path | None) -> Iterator["TraceDirectory"]:
    """The traces of the configured database, what the log holds included; errors end the command cleanly."""
    with clean_errors():
        from ..config import load_settings
        from ..opening import open_identity, open_log
        from ..spend.usage.directory import UsageDirectory
        from ..telemetry.traces.directory import TraceDirectory
        from .usage import catch_up

        settings = load_settings(config)
        identity = open_identity(settings)
        try:
            catch_up(UsageDirectory(identity.database, open_log(settings).path, lambda: settings.traces.keeps_texts))
            yield TraceDirectory(identity.database, settings.traces.semconv)
        finally:
            identity.close()


def _list(
    config: Path | None,
    order: "Order",
    window: tuple[str | None, str | None],
    filters: dict[str, Any],
    limit: int,
    cursor: str | None,
    as_json: bool,
    *,
    steps: bool = False,
) -> None:
    import msgspec

    from ..errors import InvalidRequest
    from ..telemetry.rollups.window import moment_of
    from ..telemetry.traces.query import TraceFilter

    with opened(config) as traces:
        if filters.get("state") not in (None, "ok", "error"):
            raise InvalidRequest(f"--state is ok or error, not {filters['state']!r}")
        first, last = (None if each is None else moment_of(each, time.time(), "from") * 1_000_000 for each in window)
        page = traces.search(TraceFilter(since_us=first, until_us=last, **filters), order, limit, cursor)
        sums = traces.steps(filters.get("tenant"), first, last, limit) if steps else []
    if as_json:
        print_json({**msgspec.to_builtins(page), **({"steps": msgspec.to_builtins(sums)} if steps else {})})
        return
    if not page.items:
        say("nothing was found" if page.cursor is None else f"nothing so far; go on with --cursor {page.cursor}")
        return
    _print_items(page.items)
    if sums:
        typer.echo()
        columns = ["step", "service", "count", "total", "mean", "longest"]
        print_table(
            columns,
            [[s.name, s.service or "", f"{s.count:,}", *map(_time, (s.total_us, s.mean_us, s.max_us))] for s in sums],
        )
    if page.cursor is not None and order == "newest":
        say(f"there is more: --cursor {page.cursor}")


def _print_items(items: Any) -> None:
    from datetime import UTC, datetime

    from ..spend.rule import usd

    lines = []
    for item in items:
        at = datetime.fromtimestamp(item.started_us / 1e6, UTC) if abs(item.started_us) < 2.5e17 else None
        state = item.error_type or ("error" if item.errors else "ok")
        lines.append(
            [
                item.trace_id,
                at.strftime("%Y-%m-%d %H:%M:%S") if at is not None else "?",
                item.tenant or "",
                _plain(item.name or item.service or ""),
                _time(item.duration_us),
                f"{item.input_tokens + item.output_tokens:,}",
                "?" if item.cost_nanousd is None else usd(item.cost_nanousd),
                _plain(state),
            ]
        )
    print_table(["trace", "began (UTC)", "tenant", "what", "time", "tokens", "cost", "state"], lines)


def _print_tree(view: "TraceView") -> None:
    from ..spend.rule import usd

    typer.echo(
        f"trace {view.trace_id}: {view.spans:,} spans, {_time(view.duration_us)}, "
        f"{view.input_tokens + view.output_tokens:,} tokens, {usd(view.cost_nanousd)}, {view.errors} errors"
    )
    if view.slowest_step is not None:
        typer.echo(f"slowest step: {_plain(view.slowest_step.name)} ({_time(view.slowest_step.value)})")
    whole_us = max(view.duration_us, 1)
    lines = []
    for span in view.page:
        begin = min(max(int(_BAR * span.offset_us / whole_us), 0), _BAR - 1)
        length = min(max(round(_BAR * span.duration_us / whole_us), 1), _BAR - begin)
        marks = [span.status_message or "error"] if span.status == "error" else []
        marks += [span.flaw] if span.flaw is not None else []
        lines.append(
            [
                "  " * min(span.depth, 20) + _plain(span.name),
                _time(span.duration_us),
                "·" * begin + "█" * length + "·" * (_BAR - begin - length),
                _plain(", ".join(marks)),
            ]
        )
    print_table(["span", "time", "", ""], lines)
    if view.cursor is not None or view.left_out:
        say(f"{view.spans + view.left_out - len(view.page):,} spans are not shown; --limit shows more")


def _plain(text: str) -> str:
    """Others' words on one line, without what a terminal would obey."""
    return "".join(char if char.isprintable() else "�" for char in text[:100])


def _time(us: int) -> str:
    if us < 1000:
        return f"{us} µs"
    return f"{us / 1000:.1f} ms" if us < 1_000_000 else f"{us / 1_000_000:.2f} s"
