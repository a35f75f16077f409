"""``llmops monitoring``: write what Prometheus, Alertmanager, Grafana and log shippers need to watch this gateway."""

from pathlib import Path
from typing import Annotated

import typer

from .output import ConfigOption, clean_errors, say

app = typer.Typer(help="Be watched by other monitoring systems.", no_args_is_help=True)


@app.callback()
def monitoring() -> None:
    """A group, though it has one command so far."""


@app.command("export")
def export(
    folder: Annotated[Path, typer.Argument(metavar="DIR", help="Where to write; files of the same name are replaced.")],
    target: Annotated[
        str | None,
        typer.Option(metavar="HOST:PORT", help="The gateway, as Prometheus reaches it. Default: as configured."),
    ] = None,
    with_key: Annotated[
        bool, typer.Option("--with-key", help="Scrape with a key: there are keys, or there will be.")
    ] = False,
    config: ConfigOption = None,
) -> None:
    """Write configurations of Prometheus, Alertmanager, Grafana and log shippers."""
    with clean_errors():
        from ..config import load_settings
        from ..monitoring.export import files, write
        from ..opening import open_log

        settings = load_settings(config)
        where = target or f"{settings.server.host}:{settings.server.port}"
        found = files(open_log(settings).path.resolve(), where, with_key=with_key)
        try:
            written = write(folder, found)
        except OSError as exc:
            say(f"error: {exc.filename or folder}: cannot be written: {exc.strerror}")
            raise typer.Exit(1) from exc
        for path in written:
            typer.echo(str(path))
