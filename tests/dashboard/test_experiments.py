"""An experiment in a browser: its arms, shares and evidence; only a best one can be made live."""

import http.client
import json
from typing import Any

from tests.dashboard.changing import dialog, rows, said
from tests.dashboard.conftest import Site, opened
from tests.dashboard.registry_site import change
from tests.serving import HOST, until

NAME = "trial-bot"


def started(site: Site) -> dict[str, Any]:
    ids = []
    for model in ("gpt-4o", "gpt-4o-mini", "flaky"):
        made = change(site, "POST", "/api/releases", {"bundle": {"name": NAME, "model": model}})
        ids.append(made["id"])
    change(site, "POST", f"/api/releases/{ids[2]}/live", {"reason": "begin"})
    plan = {"name": NAME, "kind": "experiment", "arms": ids[:2], "goal": {"metric": "error", "margin": 0.3}}
    return change(site, "POST", "/api/rollouts", {"plan": {**plan, "settle": "0.2s"}, "reason": "which"})  # type: ignore[no-any-return]


def _call(site: Site, number: int) -> None:
    connection = http.client.HTTPConnection(HOST, site.gateway.port, timeout=20)
    body = {"model": NAME, "messages": [{"role": "user", "content": "Hello"}]}
    connection.request("POST", "/v1/chat/completions", json.dumps(body), {"x-llmops-session": f"trial-{number}"})
    connection.getresponse().read()
    connection.close()


def test_an_experiment_is_shown_and_its_best_arm_made_live(site: Site, page: Any) -> None:
    made = started(site)
    numbers = iter(range(100_000))

    def held() -> dict[str, Any] | None:
        for _ in range(20):
            _call(site, next(numbers))
        found: dict[str, Any] = site.ask(f"/api/rollouts/{made['id']}")
        return found if found["status"] == "held" else None

    found = until(held, "the best arm", 60)
    opened(page, f"{site.url}/rollouts?live=off")
    page.click(f'[data-rollout="{made["id"]}"]')
    page.wait_for_selector('[aria-label="Arms"]')
    shown = rows(page, "Arms")
    assert [row[1] for row in shown] == [each["release"] for each in found["arms"]]
    assert "proved not to be the best" in shown[0][3]
    page.wait_for_selector("[data-testid=stVegaLiteChart] canvas, [data-testid=stVegaLiteChart] svg")
    assert page.query_selector('button:has-text("Resume")') is None
    page.click('button:has-text("Make the best one live")')
    dialog(page, "so be it", button="Make it live")
    said(page, "Made live")
    told = site.ask(f"/api/rollouts/{made['id']}")
    assert told["status"] == "promoted" and told["winner"] == found["winner"]
