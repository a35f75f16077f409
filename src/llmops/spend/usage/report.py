"""Usage as it is shown: rows for people and programs, and CSV. Money is exact: a decimal text of US dollars, and whole
nano-dollars.
"""

import csv
import io
from collections.abc import Mapping, Sequence
from datetime import date
from typing import Any

from ...errors import InvalidRequest
from ..rule import usd
from .repository.sums import DIMENSIONS, TAG, Used

MAX_DIMENSIONS = 6
_FORMULA = ("=", "+", "-", "@", "\t", "\r", "\n", "|", "%")
Sums = Mapping[tuple[str | None, ...], Used]


def dimensions_of(text: str) -> list[str]:
    """``tenant,day`` as a list; `InvalidRequest` for what usage is not summed up by."""
    names = [name.strip() for name in text.split(",") if name.strip()]
    for name in names:
        if name not in DIMENSIONS and not (name.startswith(TAG) and len(name) > len(TAG)):
            known = ", ".join((*DIMENSIONS, f"{TAG}<name>"))
            raise InvalidRequest(f"usage is summed up by {known}; not by {name[:80]!r}", param="by")
    if len(set(names)) != len(names) or len(names) > MAX_DIMENSIONS:
        raise InvalidRequest(f"by names at most {MAX_DIMENSIONS} things, each once", param="by")
    return names


def tags_of(given: Sequence[str]) -> dict[str, str]:
    """``feature=search`` as a name and a value."""
    tags = {}
    for each in given:
        name, sign, value = each.partition("=")
        if not sign or not name:
            raise InvalidRequest(f"a tag is given as name=value, e.g. feature=search; not {each[:80]!r}", param="tag")
        tags[name] = value
    return tags


def day_of(text: str | None, param: str) -> date | None:
    if text is None:
        return None
    try:
        return date.fromisoformat(text)
    except ValueError as exc:
        raise InvalidRequest(f"{text[:40]!r} is no day; write it as 2026-11-30", param=param) from exc


def show(sums: Sums, by: Sequence[str]) -> list[dict[str, Any]]:
    """The rows: in the order of time where they are by day, otherwise the dearest first."""
    return [{**dict(zip(by, values, strict=True)), **show_used(used)} for values, used in _in_order(sums, by)]


def show_used(used: Used) -> dict[str, Any]:
    return {
        "calls": used.calls,
        "errors": used.errors,
        "tokens": used.tokens,
        "prompt_tokens": used.prompt_tokens,
        "completion_tokens": used.completion_tokens,
        "cached_tokens": used.cached_tokens,
        "cache_write_tokens": used.cache_write_tokens,
        "reasoning_tokens": used.reasoning_tokens,
        "usd": usd(used.nanousd).replace("$", ""),
        "nanousd": used.nanousd,
        "unpriced_calls": used.unpriced,
        "cached_calls": used.cached_calls,
        "saved_usd": usd(used.saved_nanousd).replace("$", ""),
        "saved_nanousd": used.saved_nanousd,
    }


def total(sums: Sums) -> Used:
    found = Used()
    for used in sums.values():
        found.add(used)
    return found


def to_csv(sums: Sums, by: Sequence[str]) -> str:
    """All rows under a line of names. A text that a spreadsheet would take for a formula gets a quote before it."""
    out = io.StringIO()
    writer = csv.writer(out, lineterminator="\r\n")
    writer.writerow([*map(_safe, by), *show_used(Used())])
    for values, used in _in_order(sums, by):
        writer.writerow([*("" if value is None else _safe(value) for value in values), *show_used(used).values()])
    return out.getvalue()


def _in_order(sums: Sums, by: Sequence[str]) -> list[tuple[tuple[str | None, ...], Used]]:
    def names(item: tuple[tuple[str | None, ...], Used]) -> tuple[str, ...]:
        values = dict(zip(by, item[0], strict=True))
        day = values.pop("day", None)
        return (day or "", *(value or "" for value in values.values()))

    ordered = sorted(sums.items(), key=names)
    if "day" not in by:
        ordered.sort(key=lambda item: (-item[1].nanousd, -item[1].tokens))
    return ordered


def _safe(text: str) -> str:
    return f"'{text}" if text.startswith(_FORMULA) else text
