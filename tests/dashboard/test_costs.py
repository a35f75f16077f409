"""The costs page in a browser: money as the control plane has it, narrowed step by step, and nobody else's."""

from collections.abc import Callable
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest

from llmops.pages.costs_budgets import span_of
from llmops.viewing import figures
from tests.dashboard.conftest import Site, opened, settled, signed_in

MONTH = "live=off&window=now-30d"


def exact(page: Any, name: str) -> str:
    found: str = page.get_attribute(f'[data-figure="{name}"]', "data-exact")
    return found


def names(page: Any) -> list[str]:
    cells = page.query_selector_all('[aria-label="Costs"] tbody td:first-child')
    return [cell.inner_text() for cell in cells]


def test_figures_budgets_and_forecast_are_the_control_planes(ledger: Site, page: Any) -> None:
    signed_in(page, ledger, "admin", f"/costs?{MONTH}")
    page.wait_for_selector('[data-gauge="each tenant"]')
    found = ledger.ask("/api/overview?from=now-30d&by=tenant", "admin")
    assert exact(page, "spent") == figures.exact_money(found["totals"]["nanousd"])
    assert exact(page, "saved") == figures.exact_money(found["totals"]["saved_nanousd"])
    rows = sorted(found["rows"], key=lambda row: -row["nanousd"])
    assert names(page)[:2] == [row["tenant"] for row in rows[:2]] == ["acme", "other"]
    assert f"{found['totals']['unpriced_calls']:,} calls without a known price" in page.inner_text(
        ".lab-strip >> nth=0"
    )
    month = ledger.ask("/api/forecast", "admin")
    for fact, amount in (("spent_month", month["spent_nanousd"]), ("expected", month["forecast"]["expected_nanousd"])):
        assert page.inner_text(f'[data-fact="{fact}"] b') == figures.money(amount)
    used = {use["of"]["tenant"]: use["used_usd"] for use in ledger.ask("/api/budgets", "admin")[1]["used"]}
    shown = page.inner_text('[data-gauge="each tenant"] >> nth=0')
    assert figures.money(int(float(used["acme"]) * 1e9)) in shown and "of $1,000" in shown and "tenant acme" in shown
    spikes = [each["day"] for each in month["unusual"]]
    assert spikes and all(day in page.inner_text("[data-testid=stMain]") for day in spikes)
    links = page.eval_on_selector_all(
        '[aria-label="Dearest calls"] a', "all => all.map(one => one.getAttribute('href'))"
    )
    wanted = ledger.ask("/api/traces?order=dearest&limit=10&from=now-30d", "admin")["items"]
    assert links == [f"/traces?trace={item['trace_id']}" for item in wanted]


def test_a_row_narrows_the_page_a_reload_keeps_it_and_crumbs_lead_back(ledger: Site, page: Any) -> None:
    signed_in(page, ledger, "admin", f"/costs?{MONTH}")
    page.click('[aria-label="Costs"] tbody a >> text=acme')
    page.wait_for_url("**tenant=acme**")
    page.wait_for_selector('[aria-label="Costs"] td >> text=writer')
    assert "by=model" in page.url and "window=now-30d" in page.url and "live=off" in page.url
    narrowed = ledger.ask("/api/overview?from=now-30d&tenant=acme&by=model", "admin")["totals"]
    assert exact(page, "spent") == figures.exact_money(narrowed["nanousd"])
    page.click('[aria-label="Costs"] tbody a >> text=writer >> nth=0')
    page.wait_for_selector('[aria-label="Costs"] td >> text=acme-0')
    page.reload()
    page.wait_for_selector('[aria-label="Costs"] td >> text=acme-0')
    assert [each.inner_text() for each in page.query_selector_all(".lab-crumbs b")] == ["acme", "writer"]
    first, last = page.inner_text("h2:has-text('By user') + span").split("UTC: ")[1].split(";")[0].split(" to ")
    asked = f"/api/usage?by=user&tenant=acme&model=writer&from={first}&to={last}"
    assert exact(page, "spent") == figures.exact_money(ledger.ask(asked, "admin")["totals"]["nanousd"])
    page.click(".lab-crumbs a >> text=All costs")
    page.wait_for_selector('[aria-label="Costs"] td >> text=other')


def test_hostile_names_are_text_and_the_csv_has_all_rows(ledger: Site, page: Any, tmp_path: Path) -> None:
    loaded: list[str] = []
    page.on("request", lambda request: loaded.append(request.url))
    signed_in(page, ledger, "admin", f"/costs?{MONTH}&by=user")
    page.wait_for_selector('[aria-label="Costs"] td >> text=<script>')
    page.click('[aria-label="Costs"] tbody a >> text=<script>')
    page.wait_for_selector(".lab-crumbs b >> text=<script>")
    assert "⟨U+202E⟩" in page.inner_text('[aria-label="Costs"]') + page.content()
    assert not [url for url in loaded if not url.startswith((ledger.url, "data:", "blob:"))]
    opened(page, f"{ledger.url}/costs?{MONTH}&by=tag")
    page.wait_for_selector('[aria-label="Costs"] td >> text=acme-search')
    with page.expect_download() as waiting:
        page.click("text=CSV")
    file = tmp_path / "costs.csv"
    waiting.value.save_as(file)
    rows = file.read_text(encoding="utf-8").splitlines()
    assert rows[0].startswith("tag:feature,calls") and len(rows) == 1 + len(names(page))


def test_a_tenants_viewer_sees_its_own_money_alone(ledger: Site, page: Any) -> None:
    signed_in(page, ledger, "other viewer", f"/costs?{MONTH}&by=key")
    for query in ("by=user&tenant=acme", "by=tag"):
        opened(page, f"{ledger.url}/costs?{MONTH}&{query}")
        page.wait_for_selector('[aria-label="Costs"], .lab-empty')
        text = page.inner_text("[data-testid=stMain]")
        assert "acme-" not in text and "acmekey" not in text and "tenant acme" not in text, query
    mine = ledger.ask("/api/overview?from=now-30d", "other viewer")["totals"]
    opened(page, f"{ledger.url}/costs?{MONTH}&by=model&tenant=")
    page.wait_for_selector(".lab-card")
    assert exact(page, "spent") == figures.exact_money(mine["nanousd"])


@pytest.mark.parametrize(("width", "scheme"), [(400, "dark"), (2500, "light")])
def test_it_fits_every_width(ledger: Site, new_page: Callable[..., Any], width: int, scheme: str) -> None:
    page = signed_in(new_page(width=width, scheme=scheme), ledger, "admin", f"/costs?{MONTH}")
    page.wait_for_selector('[data-fact="expected"]')
    settled(page)
    assert page.evaluate("document.documentElement.scrollWidth <= innerWidth"), "nothing hangs over"


def test_calendar_windows() -> None:
    now = datetime(2026, 12, 30, 15, tzinfo=UTC)
    assert span_of("month", now).end == datetime(2027, 1, 1, tzinfo=UTC)
    assert span_of("week", now) == (datetime(2026, 12, 28, tzinfo=UTC), datetime(2027, 1, 4, tzinfo=UTC))
    assert span_of("day", now).passed(now) == 15 / 24
    assert span_of("total", now).passed(now) is None
