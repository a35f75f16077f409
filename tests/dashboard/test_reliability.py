"""The reliability page in a browser: promises, deployments and failures as the control plane has them."""

from collections.abc import Callable
from typing import Any

import pytest

from llmops.pages.reliability_deployments import STATES
from llmops.pages.reliability_errors import field
from llmops.viewing import figures
from tests.dashboard.conftest import Site, settled, signed_in
from tests.dashboard.ledger import HOSTILE

MONTH = "live=off&window=now-30d"


def fact(page: Any, name: str) -> str:
    found: str = page.inner_text(f'[data-fact="{name}"] b')
    return found


def test_objectives_deployments_and_counts_are_the_control_planes(ledger: Site, page: Any) -> None:
    loaded: list[str] = []
    page.on("request", lambda request: loaded.append(request.url))
    signed_in(page, ledger, "admin", f"/reliability?{MONTH}")
    page.wait_for_selector('[data-fact="llmops_ledger_open"]')
    slos = ledger.ask("/api/slos", "admin")
    mine = next(each for each in slos if each["name"] == "mine")
    shown = page.inner_text('[data-gauge="mine"]')
    assert figures.share(abs(mine["budget"]["left"])) in shown
    assert f"{mine['bad']:,} bad of {mine['good'] + mine['bad']:,}" in shown
    assert page.locator('[data-gauge="mine"] .lab-burn div').count() == len(mine["burn"]) == 7
    page.wait_for_selector('h2:has-text("Budget left")')
    page.wait_for_selector('h2:has-text("Burn rate")')
    course = ledger.ask(f"/api/slos/history?from=now-30d&name={mine['name']}", "admin")["items"][0]
    assert course["points"][-1]["left"] == pytest.approx(mine["budget"]["left"])
    rows = page.query_selector_all('[aria-label="Deployments"] tbody tr')
    wanted = {each["name"]: each for each in ledger.ask("/api/deployments", "admin")}
    lines = {row.inner_text().split("\t")[0].strip(): row.inner_text() for row in rows}
    assert lines.keys() == wanted.keys()
    for name, each in wanted.items():
        assert STATES[each["breaker"]["state"]][1] in lines[name]
        calls, failures = each["breaker"]["calls"], each["breaker"]["failures"]
        assert not calls or f"{failures:,} of {calls:,}" in lines[name]
    totals = ledger.ask("/api/overview?from=now-30d", "admin")["totals"]
    assert fact(page, "retried") == figures.count(totals["retried_calls"])
    assert fact(page, "rate_limited") == figures.count(totals["errors_by_type"].get("rate_limit_exceeded", 0))
    assert fact(page, "llmops_log_records_dropped_total") == "0"
    assert "<script>" in page.inner_text("[data-testid=stMain]"), "a model's name is text"
    assert not [url for url in loaded if not url.startswith((ledger.url, "data:", "blob:"))]


def test_a_tenants_viewer_sees_what_is_about_its_own_calls(ledger: Site, page: Any) -> None:
    signed_in(page, ledger, "other viewer", f"/reliability?{MONTH}")
    page.wait_for_selector('[data-fact="retried"]')
    settled(page)
    assert page.locator('[data-gauge="mine"]').count() == 0, "it is about acme"
    assert page.locator("text=Plumbing").count() == 0, "the operator's business"
    assert "<script>" not in page.inner_text("[data-testid=stMain]"), "only acme calls that model"


@pytest.mark.parametrize(("width", "scheme"), [(400, "dark"), (2500, "light")])
def test_it_fits_every_width(ledger: Site, new_page: Callable[..., Any], width: int, scheme: str) -> None:
    page = signed_in(new_page(width=width, scheme=scheme), ledger, "admin", f"/reliability?{MONTH}")
    page.wait_for_selector('[data-fact="llmops_ledger_open"]')
    assert page.evaluate("document.documentElement.scrollWidth <= innerWidth"), "nothing hangs over"


def test_the_field_of_errors_loses_none() -> None:
    classes = {f"class-{number:02}": 20 - number for number in range(15)}
    rows = [{"model": HOSTILE, "calls": 400, "errors": sum(classes.values()), "errors_by_type": classes}]
    data, models, names = field(rows)
    assert data["calls"].sum() == rows[0]["errors"] and names[-1] == "others" and len(names) == 10
    assert "\u202e" not in models[0]
