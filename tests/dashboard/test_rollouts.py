"""Rollouts in a browser: steps, exposure and evidence are those of the control plane, orders go the whole way."""

import http.client
import itertools
import json
from typing import Any

import pytest

from llmops.viewing import figures
from tests.dashboard.changing import dialog, rows, said
from tests.dashboard.conftest import Site, opened, signed_in
from tests.dashboard.registry_site import HOSTILE, change
from tests.serving import HOST, until

_PLAN = {
    "name": "roll-bot",
    "steps": [50, 100],
    "min_units": 5,
    "min_time": "1h",
    "settle": "0.2s",
    "guards": [{"metric": "error", "margin": 0.2}, {"metric": "slow", "margin": 0.2, "threshold_ms": 400}],
}


@pytest.fixture(scope="module")
def rolling(site: Site) -> tuple[Site, str]:
    """A rollout with some evidence."""
    rollout = started(site)
    until(lambda: _call(site, 0).status == 200, "the release among the calls")
    numbers = itertools.count(1)

    def has_evidence() -> bool:
        """Calls before the gateway has heard of the rollout are nobody's."""
        _call(site, next(numbers))
        return bool(_split(site, rollout).get("candidate_n", 0) > 5)

    until(has_evidence, "evidence", 60)
    return site, rollout


def started(site: Site, tenant: str = "default", key: str | None = None) -> str:
    ids = []
    for model in ("gpt-4o", "gpt-4o-mini"):
        bundle = {"name": _PLAN["name"], "model": model}
        made = change(site, "POST", f"/api/releases?tenant={tenant}", {"bundle": bundle}, key)
        ids.append(made["id"])
    change(site, "POST", f"/api/releases/{ids[0]}/live?tenant={tenant}", {"reason": "begin"}, key)
    body = {"plan": {**_PLAN, "candidate": ids[1]}, "reason": HOSTILE}
    return str(change(site, "POST", f"/api/rollouts?tenant={tenant}", body, key)["id"])


def _call(site: Site, number: int) -> http.client.HTTPResponse:
    connection = http.client.HTTPConnection(HOST, site.gateway.port, timeout=20)
    body = {"model": _PLAN["name"], "messages": [{"role": "user", "content": "Hello"}]}
    connection.request("POST", "/v1/chat/completions", json.dumps(body), {"x-llmops-session": f"roll-{number}"})
    answer = connection.getresponse()
    answer.read()
    connection.close()
    return answer


def _split(site: Site, rollout: str) -> dict[str, Any]:
    guards = site.ask(f"/api/rollouts/{rollout}")["guards"]
    found: dict[str, Any] = next((each for each in guards if each["guard"] == "split"), {})
    return found


def test_a_rollout_is_shown_with_its_evidence_paused_and_rolled_back(rolling: tuple[Site, str], page: Any) -> None:
    site, rollout = rolling
    asked: list[str] = []
    page.on("request", lambda request: asked.append(request.url))
    opened(page, site.url + "/rollouts?live=off")
    page.click(f'[data-rollout="{rollout}"]')
    page.wait_for_selector('[aria-label="Decisions"]')
    assert f"rollout={rollout}" in page.url
    shown = tuple(page.inner_text(f'[data-figure="{arm}"] .lab-value') for arm in ("candidate", "stable"))
    marks = [each for each in site.ask(f"/api/rollouts/{rollout}")["evidence"] if each["guard"] == "split"]
    assert shown in {(figures.count(each["candidate_n"]), figures.count(each["stable_n"])) for each in marks}
    assert page.inner_text(".lab-steps .now b") == "50 %"
    assert page.query_selector('[data-guard="error"]') and page.query_selector('[data-guard="slow"]')
    page.wait_for_selector("[data-testid=stVegaLiteChart] canvas, [data-testid=stVegaLiteChart] svg")
    page.click('button:has-text("Pause")')
    dialog(page, "lunch", button="Pause")
    said(page, "Paused")
    assert site.ask(f"/api/rollouts/{rollout}")["status"] == "paused"
    page.click('button:has-text("Roll back")')
    dialog(page, "no need", button="Roll back")
    said(page, "Rolled back")
    told = site.ask(f"/api/rollouts/{rollout}")
    assert told["status"] == "rolled_back" and told["share"] == 0
    page.reload()
    page.wait_for_selector('[data-status="rolled_back"]')
    page.wait_for_selector('[aria-label="Decisions"] tbody tr')
    assert [row[1].split()[-1] for row in rows(page, "Decisions")] == [each["action"] for each in told["decisions"]]
    assert page.query_selector('button:has-text("Roll back")') is None
    assert not [url for url in asked if not url.startswith((site.url, "data:", "blob:"))]


def test_a_viewer_sees_its_tenant_without_buttons(guarded: Site, page: Any) -> None:
    own, other = (started(guarded, tenant, "admin") for tenant in ("acme", "other"))
    signed_in(page, guarded, "acme viewer", "/rollouts?live=off&tenant=other")
    page.wait_for_selector('[aria-label="Rollouts"] tbody tr')
    assert own in page.content() and other not in page.content()
    opened(page, f"{guarded.url}/rollouts?rollout={other}&live=off")
    page.wait_for_selector(".lab-empty")
    opened(page, f"{guarded.url}/rollouts?rollout={own}&live=off")
    page.wait_for_selector('[data-status="running"]')
    assert page.query_selector('button:has-text("Pause")') is None
