"""A report as Markdown, for a pull request's summary: GitHub's tables, with foreign text that stays text."""

import re

from .report import Report
from .sections import Table, facts, tables, verdict_line
from .words import shown

_SPECIAL = re.compile(r"([\\`*_{}\[\]()#+!|~$-])")
_ICONS = {"PASS": "✅", "BLOCK": "⛔", "INCONCLUSIVE": "❔", "ERROR": "⚠️"}
_MOST_ROWS = 50


def markdown(report: Report) -> str:
    lines = [f"# Eval {plain(report.run.spec.run_id)}", ""]
    verdict = verdict_line(report)
    if verdict is not None and report.decision is not None:
        lines += [f"{_ICONS.get(str(report.decision.verdict), '')} **{plain(verdict, 1000)}**", ""]
    lines += [f"- {name}: {plain(value, 1000)}" for name, value in facts(report)]
    for table in tables(report):
        lines += ["", f"## {plain(table.title)}", "", *_table(table)]
        if table.note:
            lines += ["", plain(table.note, 1000)]
    return "\n".join(lines) + "\n"


def plain(text: str, most: int = 300) -> str:
    """Foreign text in which nothing is markup, a link, a mention or HTML."""
    said = _SPECIAL.sub(r"\\\1", shown(text, most).replace("&", "&amp;"))
    return said.replace("<", "&lt;").replace(">", "&gt;").replace("@", "&#64;").replace("://", "&#58;//")


def _table(table: Table) -> list[str]:
    found = [
        "| " + " | ".join(plain(column) for column in table.columns) + " |",
        "|" + " --- |" * len(table.columns),
        *("| " + " | ".join(plain(cell) for cell in row) + " |" for row in table.rows[:_MOST_ROWS]),
    ]
    if len(table.rows) > _MOST_ROWS:
        found += ["", f"{len(table.rows) - _MOST_ROWS:,} more rows are in the other forms of this report."]
    return found
