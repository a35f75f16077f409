"""What all commands share: JSON on stdout, words to the operator on stderr, and errors without a traceback."""

import re
import sys
from collections.abc import Iterable, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Annotated, Any

import typer

from ..errors import ConfigError, LLMOpsError

USAGE_ERROR = 2
"""Exit status of a command that was asked for something impossible: a bad flag, an unusable configuration."""

_CONTROL = re.compile(r"[\x00-\x08\x0b-\x1f\x7f-\x9f]")
"""What a cell, which may be anybody's text, could command a terminal with."""

_PIPE_CHARS = 1000
"""Width of a table that no terminal shows: nothing is folded for a program."""

JsonFlag = Annotated[bool, typer.Option("--json", help="Print JSON for programs.")]
ConfigOption = Annotated[
    Path | None,
    typer.Option(
        "--config",
        metavar="FILE",
        help="Configuration file. Default: the one that LLMOPS_CONFIG names, "
        "otherwise configs/default.yaml where it exists.",
    ),
]


def print_json(value: Any) -> None:
    import msgspec

    typer.echo(msgspec.json.format(msgspec.json.encode(value), indent=2).decode())


def say(text: str) -> None:
    """Words for the operator; stdout stays clean for what was asked for."""
    typer.echo(text, err=True)


def print_table(columns: Sequence[str], rows: Iterable[Sequence[str]]) -> None:
    from rich.console import Console
    from rich.table import Table
    from rich.text import Text

    table = Table(box=None, pad_edge=False, header_style="bold")
    for number, column in enumerate(columns):
        table.add_column(column, overflow="fold", no_wrap=number == 0)  # the first names what the row is about
    for row in rows:
        table.add_row(*(Text(_CONTROL.sub("\N{REPLACEMENT CHARACTER}", cell)) for cell in row))
    Console(width=None if sys.stdout.isatty() else _PIPE_CHARS).print(table)


@contextmanager
def clean_errors() -> Iterator[None]:
    """Errors of ours end the command with their message: status 2 for a bad configuration, 1 for everything else."""
    try:
        yield
    except LLMOpsError as exc:
        say(f"error: {exc}")
        raise typer.Exit(USAGE_ERROR if isinstance(exc, ConfigError) else 1) from exc
