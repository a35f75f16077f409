"""Figures as words, the same in every form, and foreign text made harmless for those without markup of their own."""

import re

from ..summary import Figure

_UNSHOWN = re.compile("[\x00-\x08\x0b-\x1f\x7f-\x9f\u200e\u200f\u202a-\u202e\u2066-\u2069\ud800-\udfff\ufeff]")
"""Control characters, which a terminal obeys, and marks that turn the direction of what follows."""


def number(value: float | None) -> str:
    return "-" if value is None else f"{value:,.4g}"


def interval(low: float | None, high: float | None) -> str:
    return "-" if low is None or high is None else f"[{number(low)}, {number(high)}]"


def signed(value: float | None) -> str:
    return "-" if value is None else f"{value:+,.4g}"


def usd(nanousd: int | None) -> str:
    if nanousd is None:
        return "unknown"
    return f"{nanousd / 1e9:,.4f} USD" if nanousd < 10**10 else f"{nanousd / 1e9:,.2f} USD"


def shown(text: str, most: int = 300) -> str:
    """Foreign text on one line, cut, without characters that command a terminal or turn the text around."""
    line = _UNSHOWN.sub("\N{REPLACEMENT CHARACTER}", " ".join(text[: 2 * most].split()))
    return line if len(line) <= most else f"{line[: most - 1]}…"


def figure_row(figure: Figure) -> list[str]:
    """Metric, mean, interval, n, units, errors, unmeasured."""
    counts = [f"{each:,}" for each in (figure.n, figure.units, figure.errors, figure.unmeasured)]
    return [figure.name, number(figure.mean), interval(figure.low, figure.high), *counts]


FIGURE_COLUMNS = ("metric", "mean", "95 % interval", "n", "units", "errors", "unmeasured")
