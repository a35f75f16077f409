"""The breakdown as CSV: all of its rows, money exact. A text that a spreadsheet would take for a formula gets a quote
before it, as in the gateway's own CSV."""

import csv
import io

from ..viewing.view import View
from .costs_query import ALL, Narrowed, breakdown

_COLUMNS = ("calls", "errors", "tokens", "usd", "nanousd", "unpriced_calls", "cached_calls", "saved_usd")
_FORMULA = ("=", "+", "-", "@", "\t", "\r", "\n", "|", "%")


def as_csv(view: View, to: Narrowed, by: str, tag: str) -> str:
    """Asked for anew: the page shows the dearest rows alone."""
    found = breakdown(view, to, by, tag, most=ALL)
    rows = found.value["rows"] if found.problem is None else []
    out = io.StringIO()
    writer = csv.writer(out, lineterminator="\r\n")
    writer.writerow([_safe(f"tag:{tag}" if by == "tag" else by), *_COLUMNS])
    for row in rows:
        writer.writerow([_safe(row["value"] or ""), *(row[name] for name in _COLUMNS)])
    return out.getvalue()


def _safe(text: str) -> str:
    return f"'{text}" if text.startswith(_FORMULA) else text
