"""Numbers and moments as a reader wants them: short on the page, exact in the tooltip.

Nothing is rounded into a lie: what is not nothing never shows as nothing, and a rate shows as 100 % only if it is.
Times are the reader's own (`View.zone`).
"""

from datetime import datetime, tzinfo

NOTHING = "\N{EN DASH}"
"""For a figure that there is none of."""
_MINUS = "\N{MINUS SIGN}"
_UNITS = ((1_000_000_000_000, "T"), (1_000_000_000, "B"), (1_000_000, "M"), (1_000, "k"))


def count(value: float | None) -> str:
    """1,234 · 12.3k · 4.56M"""
    if value is None:
        return NOTHING
    if abs(value) < 10_000:
        return f"{value:,.0f}" if float(value).is_integer() or abs(value) >= 100 else f"{value:,.3g}"
    for unit, letter in _UNITS:
        if abs(value) >= unit:
            return f"{_three(value / unit)}{letter}"
    return f"{value:,.0f}"


def exact(value: float | None) -> str:
    """1,234,567"""
    return NOTHING if value is None else f"{value:,}"


def share(value: float | None) -> str:
    """97.5 %; below the whole never 100 %, above nothing never 0 %."""
    if value is None:
        return NOTHING
    percent = value * 100
    if percent in (0, 100):
        return f"{percent:.0f} %"
    for digits in (1, 2, 3, 4):
        text = f"{percent:.{digits}f}"
        if float(text) not in (0, 100):
            return f"{text} %"
    return "> 99.99 %" if percent > 50 else "< 0.001 %"


def milliseconds(value: float | None) -> str:
    """134 µs · 12.3 ms · 1.23 s · 2 min 5 s"""
    if value is None:
        return NOTHING
    if value < 1:
        return f"{value * 1000:.0f} µs"
    if value < 1000:
        return f"{_three(value)} ms"
    if value < 120_000:
        return f"{_three(value / 1000)} s"
    return f"{value // 60_000:.0f} min {value % 60_000 / 1000:.0f} s"


def seconds(value: float | None) -> str:
    """45 s · 1 min · 12 min · 1 h · 3 h 20 min · 5 days"""
    if value is None:
        return NOTHING
    if value < 120 and value != 60:
        return f"{value:.0f} s"
    if value < 7200 and value != 3600:
        return f"{value / 60:.0f} min"
    if value < 172_800:
        minutes = value % 3600 // 60
        return f"{value // 3600:.0f} h" + (f" {minutes:.0f} min" if minutes else "")
    return f"{value / 86_400:.0f} days"


def money(nanousd: float | None) -> str:
    """$1,234 · $12.34 · $0.0023 · $0.0000219; the amount is in nano-dollars, as everywhere."""
    if nanousd is None:
        return NOTHING
    if nanousd < 0:
        return f"{_MINUS}{money(-nanousd)}"
    usd = nanousd / 1_000_000_000
    if usd == 0:
        return "$0"
    if usd >= 1_000_000:
        return f"${count(usd)}"
    if usd >= 1000:
        return f"${usd:,.0f}"
    if usd >= 1:
        return f"${usd:,.2f}"
    digits = 2
    while digits < 9 and usd < 10.0 ** (1 - digits):
        digits += 1
    return f"${usd:.{digits + 1 if digits < 9 else 9}f}".rstrip("0").rstrip(".")


def exact_money(nanousd: int | None) -> str:
    """Every digit of it."""
    if nanousd is None:
        return NOTHING
    whole, rest = divmod(abs(nanousd), 1_000_000_000)
    return f"{_MINUS if nanousd < 0 else ''}${whole:,}.{rest:09d}".rstrip("0").rstrip(".")


def moment(epoch_s: float | None, zone: tzinfo, *, now_s: float | None = None) -> str:
    """14:03:07, with the day in front where it is not today's."""
    if epoch_s is None:
        return NOTHING
    at = datetime.fromtimestamp(epoch_s, zone)
    if now_s is not None and at.date() == datetime.fromtimestamp(now_s, zone).date():
        return f"{at:%H:%M:%S}"
    return f"{at:%d %b %H:%M:%S}" if now_s is not None else f"{at:%Y-%m-%d %H:%M:%S %Z}"


def _three(value: float) -> str:
    """Three digits that count."""
    size = abs(value)
    return f"{value:.0f}" if size >= 99.95 else f"{value:.1f}" if size >= 9.995 else f"{value:.2f}"
