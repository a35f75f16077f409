"""Small plots as SVG inside a page: no library, no script, and colours that follow the page's light or dark.

Each is a drawing of 640 units' width that shrinks with its page. Labels are anybody's text and are escaped here.
"""

import math
from collections.abc import Iterable, Sequence
from html import escape
from typing import NamedTuple

from .words import number, shown

_WIDTH, _LEFT, _RIGHT, _ROW = 640, 190, 70, 24
_BINS = 24


class Bar(NamedTuple):
    """A mean with its interval."""

    label: str
    mean: float
    low: float | None
    high: float | None


class Point(NamedTuple):
    x: float
    y: float
    label: str
    kind: str
    """``run``, ``baseline`` or ``case``: how it is drawn."""


def histogram(values: Sequence[float], title: str, others: Sequence[float] = ()) -> str:
    """How values are spread; ``others``, a baseline's, as an outline behind them."""
    both = [*values, *others]
    if not both:
        return ""
    low, high = min(both), max(both)
    if low == high:
        low, high = low - 0.5, high + 0.5
    shares, behind = _shares(values, low, high), _shares(others, low, high)
    top, base, height = max([*shares, *behind, 1e-12]), 150.0, 130.0
    step = (_WIDTH - 40) / _BINS
    drawn = []
    for index, share in enumerate(shares):
        if share:
            tall = share / top * height
            drawn.append(_rect("bar", 20 + index * step + 1, base - tall, step - 2, tall, f"{share:.1%}"))
    for index, share in enumerate(behind):
        if share:
            tall = share / top * height
            drawn.append(_rect("outline", 20 + index * step + 1, base - tall, step - 2, tall, f"baseline {share:.1%}"))
    drawn.append(_line("axis", 20, base, _WIDTH - 20, base))
    for place, value in ((0.0, low), (0.5, (low + high) / 2), (1.0, high)):
        drawn.append(_text(20 + place * (_WIDTH - 40), base + 18, number(value), _anchor(place)))
    return _svg(title, 176, drawn)


def intervals(bars: Sequence[Bar], title: str, *, zero: bool = False) -> str:
    """Means with their intervals, one below the other; ``zero``: with the line that says "no difference"."""
    if not bars:
        return ""
    ends = [end for bar in bars for end in (bar.low, bar.mean, bar.high) if end is not None]
    low, high = min([*ends, 0.0] if zero else ends), max([*ends, 0.0] if zero else ends)
    if low == high:
        low, high = low - 0.5, high + 0.5
    scale = (_WIDTH - _LEFT - _RIGHT) / (high - low)
    bottom = len(bars) * _ROW + 8
    drawn = []
    if zero:
        drawn.append(_line("zero", _LEFT - low * scale, 4, _LEFT - low * scale, bottom))
    for index, bar in enumerate(bars):
        y = index * _ROW + 16
        at = _LEFT + (bar.mean - low) * scale
        drawn.append(_text(_LEFT - 12, y + 4, shown(bar.label, 30), "end"))
        if bar.low is not None and bar.high is not None:
            drawn.append(_line("range", _LEFT + (bar.low - low) * scale, y, _LEFT + (bar.high - low) * scale, y))
        drawn.append(f'<circle class="dot" cx="{at:.1f}" cy="{y}" r="4.5"/>')
        drawn.append(_text(_WIDTH - 4, y + 4, number(bar.mean), "end"))
    drawn.append(_line("axis", _LEFT, bottom, _WIDTH - _RIGHT, bottom))
    for place, value in ((0.0, low), (1.0, high)):
        drawn.append(_text(_LEFT + place * (_WIDTH - _LEFT - _RIGHT), bottom + 18, number(value), _anchor(place)))
    return _svg(title, bottom + 28, drawn)


def scatter(points: Sequence[Point], title: str, x_name: str, y_name: str) -> str:
    """One figure against another; the larger points on top."""
    if not points:
        return ""
    x_low, x_high = _range([point.x for point in points])
    y_low, y_high = _range([point.y for point in points])
    left, right, top, base = 64.0, _WIDTH - 20.0, 14.0, 230.0
    drawn = [_line("axis", left, base, right, base), _line("axis", left, top, left, base)]
    for point in sorted(points, key=lambda each: each.kind != "case"):
        x = left + (point.x - x_low) / (x_high - x_low) * (right - left)
        y = base - (point.y - y_low) / (y_high - y_low) * (base - top)
        said = escape(f"{shown(point.label, 100)}: {number(point.x)}, {number(point.y)}")
        radius = 3 if point.kind == "case" else 7
        name = f"point {point.kind}"
        drawn.append(f'<circle class="{name}" cx="{x:.1f}" cy="{y:.1f}" r="{radius}"><title>{said}</title></circle>')
    for place, value in ((0.0, x_low), (1.0, x_high)):
        drawn.append(_text(left + place * (right - left), base + 18, number(value), _anchor(place)))
    drawn.append(_text((left + right) / 2, base + 36, x_name, "middle"))
    drawn += [_text(left - 6, base, number(y_low), "end"), _text(left - 6, top + 10, number(y_high), "end")]
    drawn.append(_text(left + 8, top + 10, y_name, "start"))
    return _svg(title, 274, drawn)


def _shares(values: Sequence[float], low: float, high: float) -> list[float]:
    counts = [0] * _BINS
    for value in values:
        counts[min(int((value - low) / (high - low) * _BINS), _BINS - 1)] += 1
    return [count / len(values) for count in counts] if values else []


def _range(values: Sequence[float]) -> tuple[float, float]:
    low, high = min(values), max(values)
    if math.isclose(low, high):
        return low - (abs(low) / 10 or 0.5), high + (abs(high) / 10 or 0.5)
    room = (high - low) * 0.05
    return low - room, high + room


def _anchor(place: float) -> str:
    return "start" if place == 0 else "end" if place == 1 else "middle"


def _rect(kind: str, x: float, y: float, width: float, height: float, said: str) -> str:
    size = f'x="{x:.1f}" y="{y:.1f}" width="{width:.1f}" height="{height:.1f}"'
    return f'<rect class="{kind}" {size}><title>{escape(said)}</title></rect>'


def _line(kind: str, x1: float, y1: float, x2: float, y2: float) -> str:
    return f'<line class="{kind}" x1="{x1:.1f}" y1="{y1:.1f}" x2="{x2:.1f}" y2="{y2:.1f}"/>'


def _text(x: float, y: float, said: str, anchor: str) -> str:
    return f'<text x="{x:.1f}" y="{y:.1f}" text-anchor="{anchor}">{escape(said)}</text>'


def _svg(title: str, height: float, drawn: Iterable[str]) -> str:
    name = escape(shown(title, 120), quote=True)
    inner = "".join(drawn)
    return f'<svg viewBox="0 0 {_WIDTH} {height:.0f}" role="img" aria-label="{name}">{inner}</svg>'
