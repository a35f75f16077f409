"""A report for a terminal, by rich: colours where there are any, plain text where not."""

import io
import os
import sys

from .report import Report
from .sections import facts, tables, verdict_line
from .words import shown

_COLOURS = {"PASS": "green", "BLOCK": "red", "INCONCLUSIVE": "yellow", "ERROR": "magenta"}
_PLAIN_WIDTH = 160


def terminal(report: Report) -> str:
    """Tables of the report; with escape sequences only where they go to a terminal."""
    from rich.console import Console
    from rich.table import Table
    from rich.text import Text

    is_terminal = sys.stdout.isatty() and "NO_COLOR" not in os.environ
    out = io.StringIO()
    console = Console(file=out, force_terminal=is_terminal, width=None if is_terminal else _PLAIN_WIDTH)
    verdict = verdict_line(report)
    if verdict is not None and report.decision is not None:
        console.print(
            Text(shown(verdict, 1000), style=f"bold {_COLOURS.get(str(report.decision.verdict), '')}".strip())
        )
    grid = Table.grid(padding=(0, 2))
    for name, value in facts(report):
        grid.add_row(Text(name, style="dim"), Text(shown(value, 1000)))
    console.print(grid)
    for each in tables(report):
        table = Table(box=None, pad_edge=False, header_style="bold", title=Text(shown(each.title), style="bold"))
        table.title_justify = "left"
        for column in each.columns:
            table.add_column(Text(shown(column)), overflow="fold")
        for row in each.rows:
            table.add_row(*(Text(shown(cell)) for cell in row))
        console.print()
        console.print(table)
        if each.note:
            console.print(Text(shown(each.note, 1000), style="dim"))
    return out.getvalue()
