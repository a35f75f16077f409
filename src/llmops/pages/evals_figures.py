"""What the pages of evals share: how a metric's value is written, states of runs, links, pages of a long list."""

from collections.abc import Mapping
from typing import Any
from urllib.parse import quote

import streamlit as st

from ..viewing import address, figures, judging
from ..viewing.components import Cell, Mood, link
from ..viewing.view import View

Run = Mapping[str, Any]
STATES: dict[str, Mood] = {"complete": "good", "running": "neutral", "interrupted": "warn"}
_MINUS = "\N{MINUS SIGN}"


def metric_of(run: Run, name: str) -> dict[str, Any]:
    """As it is declared, with what is left out at its default."""
    found: Mapping[str, Any] = next((each for each in run["metrics"] if each["name"] == name), {})
    standard = {"name": name, "direction": "higher", "scale": "binary", "low": 0.0, "high": 1.0, "unit": ""}
    return {**standard, "advisory": False, **found}


def value_of(metric: Mapping[str, Any], value: float | None) -> str:
    """A value of a metric, short: shares for right or wrong, otherwise three digits and the unit."""
    if value is None:
        return figures.NOTHING
    if metric["scale"] == "binary":
        return figures.share(value)
    if metric["unit"] == "ms":
        return figures.milliseconds(value)
    if metric["scale"] == "ratio":
        return f"{figures.count(value)} {metric['unit']}".strip()
    return f"{value:.3f} {metric['unit']}".strip()


def gain_of(metric: Mapping[str, Any], gain: float | None) -> str:
    """A difference with its sign: points, per cent, or the metric's own units."""
    if gain is None:
        return figures.NOTHING
    sign = "+" if gain > 0 else _MINUS if gain < 0 else "±"
    if metric["scale"] == "ratio":
        return f"{sign}{abs(gain) * 100:.3g} %"
    if metric["scale"] == "binary":
        return f"{sign}{abs(gain) * 100:.3g} points"
    return f"{sign}{abs(gain):.3g} {metric['unit']}".strip()


def bounds_of(metric: Mapping[str, Any]) -> tuple[float | None, float | None]:
    return (None, None) if metric["scale"] == "ratio" else (metric["low"], metric["high"])


def figure_cell(metric: Mapping[str, Any], figure: Mapping[str, Any] | None, axis: tuple[float, float]) -> Cell:
    """A figure with its interval, drawn and in the tooltip."""
    if figure is None or figure["mean"] is None:
        return Cell(figures.NOTHING)
    low, high = value_of(metric, figure["low"]), value_of(metric, figure["high"])
    drawn = judging.interval(figure["mean"], figure["low"], figure["high"], axis)
    title = f"95 % interval {low} to {high}; {figure['n']:,} values in {figure['units']:,} independent units"
    return Cell(value_of(metric, figure["mean"]), title=title, beside=drawn)


def state_of(run: Run) -> str:
    return f"{run['state']}: {run['reason']}" if run["reason"] else str(run["state"])


def subject_of(run: Run) -> str:
    return ", ".join(str(value) for value in run["subject"].values()) or "unknown"


def commit_of(revision: str | None) -> str:
    return (revision or "")[:9] or figures.NOTHING


def here(view: View, **more: object) -> str:
    """This page with these parameters alone, and the tenant that it is narrowed to."""
    return link("evals", tenant=view.tenant, **more)


def run_path(run_id: str, part: str = "") -> str:
    """The route of a run, whatever its id."""
    return f"/api/evals/runs/{quote(run_id, safe='')}" + (f"/{part}" if part else "")


def trace_link(view: View, trace_id: str | None) -> str | None:
    return link("traces", trace=trace_id, tenant=view.tenant) if trace_id else None


def tenant_of(view: View) -> dict[str, str]:
    """What narrows a question to the tenant that the pages are narrowed to."""
    return {"tenant": view.tenant} if view.tenant else {}


def offset_now(name: str = "at") -> int:
    """Where the page of a list begins, as the address says."""
    return int(address.read(name, "0", valid=lambda given: given.isdecimal() and len(given) < 8))


def pager(total: int, limit: int, name: str = "at") -> None:
    """Earlier and later, where there is more than a page."""
    offset = offset_now(name)
    if total <= limit and not offset:
        return
    with st.container(horizontal=True, vertical_alignment="center", gap="small"):
        st.button(
            "Earlier",
            disabled=not offset,
            key=f"{name}-earlier",
            on_click=address.write,
            args=(name, str(max(0, offset - limit)), "0"),
        )
        st.button(
            "Later",
            disabled=offset + limit >= total,
            key=f"{name}-later",
            on_click=address.write,
            args=(name, str(offset + limit), "0"),
        )
        st.caption(f"{min(offset + 1, total):,} to {min(offset + limit, total):,} of {total:,}")
