"""The overview in a browser: what it shows is what the control plane says."""

from collections.abc import Callable
from typing import Any

import pytest

from llmops.viewing import figures
from tests.dashboard.conftest import Site, opened


def card(page: Any, name: str) -> str:
    found: str = page.inner_text(f'[data-figure="{name}"] .lab-value')
    return found


def test_its_figures_are_those_of_the_control_plane(site: Site, page: Any) -> None:
    opened(page, site.url + "/?live=off")
    page.wait_for_selector(".lab-card")
    totals = site.ask("/api/overview?from=now-24h")["totals"]
    assert totals["calls"] >= 40 and totals["errors"] >= 4
    assert card(page, "calls") == figures.count(totals["calls"])
    assert card(page, "success_rate") == figures.share(totals["success_rate"])
    assert card(page, "latency_mean") == figures.milliseconds(totals["latency_ms"]["mean"])
    assert card(page, "latency_p95") == figures.milliseconds(totals["latency_ms"]["p95"])
    assert card(page, "tokens") == figures.count(totals["tokens"])
    assert card(page, "cost") == figures.money(totals["nanousd"])
    assert page.get_attribute('[data-figure="cost"]', "data-exact") == f"${totals['usd']}"
    assert card(page, "json_success_rate") == figures.share(totals["json_success_rate"])
    assert card(page, "cache_hit_rate") == figures.share(totals["cache_hit_rate"])


def test_the_last_requests_lead_to_their_traces(site: Site, page: Any) -> None:
    opened(page, site.url + "/?live=off")
    page.wait_for_selector('[aria-label="Last requests"] tbody tr')
    rows = page.query_selector_all('[aria-label="Last requests"] tbody tr')
    wanted = site.ask("/api/traces?limit=20")["items"]
    assert len(rows) == 20
    links = [row.query_selector("a").get_attribute("href") for row in rows]
    assert links == [f"/traces?trace={item['trace_id']}" for item in wanted]
    models = site.ask("/api/overview?from=now-24h&by=model")["rows"]
    shown = [row.inner_text() for row in page.query_selector_all('[aria-label="Top models"] tbody tr')]
    assert [line.split("\t")[0].strip() for line in shown] == [row["model"] or "none" for row in models]


@pytest.mark.parametrize("scheme", ["light", "dark"])
@pytest.mark.parametrize("width", [400, 1440, 2500])
def test_it_fits_every_width(site: Site, new_page: Callable[..., Any], width: int, scheme: str) -> None:
    page = opened(new_page(width=width, scheme=scheme), site.url + "/?live=off&window=now-1h")
    page.wait_for_selector(".lab-card")
    assert page.evaluate("document.documentElement.scrollWidth <= innerWidth"), "nothing hangs over"
    for box in (each.bounding_box() for each in page.query_selector_all(".lab-card")):
        assert box["x"] >= 0 and box["x"] + box["width"] <= width
