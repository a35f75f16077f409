"""Prompts in a browser: what is shown is what the control plane says, labels move, the playground streams."""

from collections.abc import Callable
from typing import Any
from urllib.parse import quote

import pytest

from llmops.viewing import figures
from tests.dashboard.changing import dialog, rows, said
from tests.dashboard.conftest import Site, opened, settled, signed_in
from tests.dashboard.registry_site import CHAT, HOSTILE, NAME, change, fill_prompts
from tests.serving import until

_SHOWN_HOSTILE = HOSTILE.replace("\u202e", "⟨U+202E⟩")


@pytest.fixture(scope="module")
def prompted(site: Site) -> Site:
    fill_prompts(site)
    until(lambda: _call(site) == 200, "the new version among the calls")
    assert [_call(site) for _ in range(2)] == [200, 200]
    until(lambda: any(each["calls"] for each in _usage(site)), "the use")
    return site


def _call(site: Site) -> int:
    return site.gateway.chat("gpt-4o", prompt={"name": NAME, "version": 2, "variables": {"customer": "Ann"}}).status


def _usage(site: Site) -> Any:
    return site.ask(f"/api/prompts/usage?name={quote(NAME)}")["versions"]


def _labels(site: Site) -> dict[str, int]:
    return {each["label"]: each["number"] for each in site.ask(f"/api/prompts/labels?name={quote(NAME)}")["labels"]}


def test_folders_lead_to_a_prompt_whose_words_are_text(prompted: Site, page: Any) -> None:
    asked: list[str] = []
    page.on("request", lambda request: asked.append(request.url))
    opened(page, prompted.url + "/prompts?live=off")
    page.click(".lab-folders a:has-text('support')")
    page.wait_for_selector('[aria-label="Prompts"] a:has-text("refund")')
    shown = {row[0]: row for row in rows(page, "Prompts")}
    assert shown["greeting"][1] == "chat" and shown["refund"][3] == "3"
    opened(page, f"{prompted.url}/prompts?name={CHAT}&live=off")
    page.wait_for_selector(".lab-turn.user")
    assert _SHOWN_HOSTILE in page.inner_text(".lab-turn.user pre")
    assert page.inner_text(".lab-turn.system mark") == "{{customer}}"
    opened(page, f"{prompted.url}/prompts?name={NAME}&version=1&live=off")
    page.wait_for_selector("[data-comments]")
    assert _SHOWN_HOSTILE in page.inner_text(".lab-word p")
    assert [row[0] for row in rows(page, "Variables")] == ["customer", "days"]
    assert not [url for url in asked if not url.startswith((prompted.url, "data:", "blob:"))]
    assert page.query_selector("img[src=x]") is None


def test_versions_have_the_use_and_two_of_them_are_compared(prompted: Site, page: Any) -> None:
    opened(page, f"{prompted.url}/prompts?name={NAME}&show=versions&live=off")
    page.wait_for_selector('[aria-label="Versions"] tbody tr')
    shown = {row[0]: row for row in rows(page, "Versions")}
    for use in _usage(prompted):
        row = shown[str(use["number"])]
        assert (row[4], row[7]) == (figures.count(use["calls"]), figures.money(use["cost_nanousd"]))
    page.click('a:has-text("changes") >> nth=1')
    page.wait_for_selector(".lab-diff .add")
    assert "show=diff" in page.url and "in their box" in page.inner_text(".lab-diff ins >> nth=0")
    page.reload()
    page.wait_for_selector(".lab-diff .gone")


def test_a_label_is_moved_and_whoever_comes_late_is_told(prompted: Site, page: Any) -> None:
    opened(page, f"{prompted.url}/prompts?name={NAME}&show=labels&live=off")
    page.click('[class*="st-key-move-label-production"] button')
    page.wait_for_selector("[role=dialog] form, [role=dialog] [data-testid=stForm]")
    change(prompted, "PUT", "/api/prompts/labels", {"name": NAME, "label": "production", "version": 2})
    dialog(page, "a test", button="Move it")
    page.wait_for_selector(".lab-refused")
    assert _labels(prompted)["production"] == 2, "the other's move holds"
    opened(page, f"{prompted.url}/prompts?name={NAME}&show=labels&live=off")
    page.click('[class*="st-key-move-label-production"] button')
    dialog(page, "a test", button="Move it")
    assert "version 3" in said(page, "Moved the label")
    assert _labels(prompted)["production"] == 3
    page.click('[class*="st-key-back-label-production"] button')
    dialog(page, "worse", button="Move back")
    said(page, "Moved back")
    assert _labels(prompted)["production"] == 2
    (entry, *_) = prompted.ask("/api/audit?action=prompt.*")["entries"]
    assert entry["reason"] == "worse"


def test_the_playground_previews_and_runs_two_versions_side_by_side(prompted: Site, page: Any) -> None:
    opened(page, f"{prompted.url}/prompts?name={NAME}&show=play&version=1&second=2&live=off")
    page.wait_for_selector('textarea[aria-label="customer"]')
    page.fill('textarea[aria-label="customer"]', HOSTILE)
    page.keyboard.press("Tab")
    page.click('button:has-text("Preview")')
    page.wait_for_selector(".lab-turn >> nth=1")
    assert f"Address the customer as {_SHOWN_HOSTILE}." in page.inner_text(".lab-turn >> nth=0")
    page.click("[data-testid=stSelectbox]:has-text('Model')")
    page.click('[role=option]:has-text("gpt-4o-mini")')
    page.click('button:has-text("Run")')
    page.wait_for_selector(".lab-line a >> nth=1")
    settled(page)
    answers = page.query_selector_all(".lab-answer")
    assert [answer.query_selector("h3").inner_text()[:9] for answer in answers] == ["version 1", "version 2"]
    for answer in answers:
        assert answer.query_selector("pre").inner_text().strip()
        trace = prompted.ask("/api/traces?limit=2&order=newest")["items"]
        assert answer.query_selector('[data-figure="cost"]').inner_text() in {
            figures.money(each["cost_nanousd"]) for each in trace
        }
    assert page.query_selector("img[src=x]") is None


def test_a_viewer_sees_its_tenant_and_needs_a_key_for_calls(guarded: Site, new_page: Callable[..., Any]) -> None:
    for tenant in ("acme", "other"):
        body = {"name": f"{tenant}-only", "text": "Greet {{who}}.", "labels": ["production"]}
        change(guarded, "POST", f"/api/prompts?tenant={tenant}", body, "admin")
    page = new_page()
    signed_in(page, guarded, "acme viewer", "/prompts?live=off&tenant=other&of=other")
    page.wait_for_selector('[aria-label="Prompts"] tbody tr')
    assert "other-only" not in page.content()
    opened(page, f"{guarded.url}/prompts?name=other-only&of=other&live=off")
    page.wait_for_selector(".lab-empty")
    opened(page, f"{guarded.url}/prompts?name=acme-only&show=labels&live=off")
    page.wait_for_selector('[data-label="production"]')
    assert page.query_selector('button:has-text("Move")') is None
    opened(page, f"{guarded.url}/prompts?name=acme-only&show=play&live=off")
    page.wait_for_selector("text=makes no calls")
    assert page.is_disabled('button:has-text("Run")')
    page.fill('input[type="password"]', guarded.keys["acme caller"])
    page.keyboard.press("Enter")
    page.wait_for_selector("[data-testid=stSelectbox]:has-text('Model')")
    settled(page)
    page.fill('textarea[aria-label="who"]', "Ann")
    page.keyboard.press("Tab")
    page.click('button:has-text("Run")')
    page.wait_for_selector(".lab-line a")
    assert guarded.keys["acme caller"] not in page.inner_text("body")
