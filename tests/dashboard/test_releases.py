"""Releases and flags in a browser: what is shown is what the control plane says, changes go the whole way."""

from typing import Any

import pytest

from llmops.viewing import figures
from tests.dashboard.changing import dialog, rows, said
from tests.dashboard.conftest import Site, opened, signed_in
from tests.dashboard.registry_site import HOSTILE, change, fill_flags, fill_prompts, fill_releases
from tests.serving import until

_SHOWN_HOSTILE = HOSTILE.replace("\u202e", "⟨U+202E⟩")


@pytest.fixture(scope="module")
def released(site: Site) -> tuple[Site, list[str]]:
    """The gateway with a first release that has answered calls, and two more."""
    if not site.ask("/api/prompts")["folders"]:
        fill_prompts(site)
    made = fill_releases(site, query="?tenant=default")
    fill_flags(site)
    until(lambda: site.gateway.chat("support-bot", prompt={"variables": {"customer": "Ann"}}).status == 200, "it")
    until(lambda: site.ask(f"/api/releases/{made[0]}")["figures"]["calls"] >= 1, "the call in the figures")
    return site, made


def test_a_release_goes_live_and_back_with_a_reason(released: tuple[Site, list[str]], page: Any) -> None:
    site, (first, second, third) = released
    asked: list[str] = []
    page.on("request", lambda request: asked.append(request.url))
    opened(page, site.url + "/releases?live=off")
    page.wait_for_selector('[data-live="support-bot"]')
    assert first in page.inner_text('[data-live="support-bot"]')
    assert {row[0] for row in rows(page, "Releases")} >= {first, second, third}
    page.click(f'[aria-label="Releases"] a:has-text("{second}")')
    page.wait_for_selector(f'[data-release="{second}"]')
    assert _SHOWN_HOSTILE[:60] in page.content().replace("&lt;", "<").replace("&gt;", ">").replace("&quot;", '"')
    changed = {row[0]: row[1:] for row in rows(page, "Changed from the parent")}
    assert changed["model"] == ["gpt-4o", "gpt-4o-mini"]
    page.click('button:has-text("Make live")')
    dialog(page, "", button="Make live")
    page.wait_for_selector(".lab-refused")
    dialog(page, "evals are fine", button="Make live")
    said(page, "Made live")
    (live,) = site.ask("/api/releases?tenant=default&name=support-bot")["live"]
    assert live["release_id"] == second
    page.click('button:has-text("Roll back")')
    dialog(page, "users complain", button="Roll back")
    said(page, "Rolled back")
    (live,) = site.ask("/api/releases?tenant=default&name=support-bot")["live"]
    assert live["release_id"] == first
    assert not [url for url in asked if not url.startswith((site.url, "data:", "blob:"))]


def test_a_card_has_the_figures_and_the_gate_holds(released: tuple[Site, list[str]], page: Any) -> None:
    site, (first, _, third) = released
    opened(page, f"{site.url}/releases?release={first}&live=off")
    page.wait_for_selector('[data-figure="calls"]')
    told = site.ask(f"/api/releases/{first}")["figures"]
    assert page.inner_text('[data-figure="calls"] .lab-value') == figures.count(told["calls"])
    assert page.inner_text('[data-figure="cost"] .lab-value') == figures.money(told["nanousd"])
    opened(page, f"{site.url}/releases?release={third}&live=off")
    page.wait_for_selector('[data-verdict="none"]')
    assert page.is_disabled('button:has-text("Make live")')
    opened(page, f"{site.url}/releases?release={third}&other={first}&live=off")
    page.wait_for_selector('[aria-label="Differences"]')
    assert ["requires_gate", "false", "true"] in rows(page, "Differences")


def test_a_flag_is_switched_and_shared_out_anew(released: tuple[Site, list[str]], page: Any) -> None:
    site, _ = released
    opened(page, site.url + "/flags?live=off")
    page.wait_for_selector('[data-flag="answer-style"]')
    assert _SHOWN_HOSTILE in page.inner_text('[data-flag="answer-style"]')
    assert "on 25 %, off 75 %" in page.inner_text('[data-flag="new-search"]')
    page.click('[class*="st-key-flag-switch--new-search"] button')
    dialog(page, "too slow", button="Switch off")
    said(page, "Switched off")
    assert site.ask("/api/flags/new-search")["flag"]["enabled"] is False
    page.click('[class*="st-key-flag-split--new-search"] button')
    page.wait_for_selector("[role=dialog] input[type=number]")
    page.fill("[role=dialog] input[type=number] >> nth=0", "40")
    dialog(page, "more", button="Change")
    said(page, "Changed the shares")
    assert site.ask("/api/flags/new-search")["flag"]["split"] == {"on": 40, "off": 75}


def test_a_viewer_sees_its_tenant_without_buttons(guarded: Site, page: Any) -> None:
    for tenant in ("acme", "other"):
        bundle = {"name": f"{tenant}-bot", "model": "gpt-4o"}
        made = change(guarded, "POST", f"/api/releases?tenant={tenant}", {"bundle": bundle}, "admin")
        change(guarded, "PUT", f"/api/flags/{tenant}-flag?tenant={tenant}",
               {"variants": {"on": True, "off": False}, "default": "off"}, "admin")  # fmt: skip
    signed_in(page, guarded, "acme viewer", "/releases?live=off&tenant=other&of=other")
    page.wait_for_selector('[aria-label="Releases"] tbody tr')
    assert "other-bot" not in page.content()
    opened(page, f"{guarded.url}/releases?release={made['id']}&of=other&live=off")
    page.wait_for_selector(".lab-empty")
    opened(page, guarded.url + "/flags?live=off")
    page.wait_for_selector('[data-flag="acme-flag"]')
    assert "other-flag" not in page.content() and page.query_selector('button:has-text("Switch")') is None
