"""Alerts in a browser: what fires, silencing it and ending that, history and receivers, as the control plane says."""

from collections.abc import Callable, Iterator
from contextlib import ExitStack
from typing import Any

import pytest

from tests.dashboard.changing import dialog, rows, said, send
from tests.dashboard.conftest import CONFIG, Site, _keys, dashboard, opened, play, serving, settled, signed_in, written
from tests.serving import until

RULES = [
    {"name": "house", "kind": "success_rate", "threshold": {"warning": 0.99, "critical": 0.95}, "min_events": 3},
    {"name": "theirs", "kind": "success_rate", "threshold": {"warning": 0.99}, "min_events": 3, "per": ["tenant"],
     "notify": ["ops", "acme-calls"]},
]  # fmt: skip
HOOK = {"kind": "webhook", "url": "http://127.0.0.1:9/none"}
ALERTS = {
    "interval_seconds": 0.5,
    "rules": RULES,
    "receivers": [{"name": "ops", **HOOK}, {"name": "acme-calls", "tenant": "acme", **HOOK}],
}


@pytest.fixture(scope="module")
def alarmed(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Site]:
    """A gateway where a rule of the house and one of each tenant fire."""
    folder = tmp_path_factory.mktemp("alarmed")
    keys = _keys(folder)
    with ExitStack() as stack:
        gateway = stack.enter_context(serving(folder, {**CONFIG, "alerts": ALERTS}))
        for name in ("acme caller", "other caller"):
            play(gateway, 10, keys[name])
        written(gateway, 20, keys["admin"])
        site = Site(gateway, stack.enter_context(dashboard(folder, gateway.url)), folder, keys)
        until(lambda: len(site.ask("/api/alerts?state=firing", "admin")) >= 4, "the alerts")
        yield site


def shown(page: Any) -> list[str]:
    page.wait_for_selector("[data-alert]")
    return [each.get_attribute("data-alert") for each in page.query_selector_all("[data-alert]")]


def test_what_fires_is_what_the_control_plane_says(alarmed: Site, page: Any) -> None:
    signed_in(page, alarmed, "admin", "/alerts?live=off&window=now-1h")
    alerts = alarmed.ask("/api/alerts", "admin")
    assert [each["severity"] for each in alerts if each["rule"] == "house"] == ["critical", "warning"]
    said_once = [each["fingerprint"] for each in alerts if (each["rule"], each["severity"]) != ("house", "warning")]
    assert shown(page) == said_once and alerts[0]["severity"] == "critical"
    first = page.inner_text("[data-alert] >> nth=0")
    assert "also warning" in first
    assert "house" in first and "90.0 %" in first and "alerts below 95.0 %" in first
    assert page.get_attribute("[data-alert] a >> nth=0", "href").startswith("/traces?state=error")
    history = alarmed.ask("/api/alerts/history", "admin")
    assert len(rows(page, "Changes of alerts")) == len(history)
    names = [each["name"] for each in alarmed.ask("/api/alerts/receivers", "admin")]
    assert [row[0] for row in rows(page, "Receivers")] == names == ["ops", "acme-calls"]
    opened(page, alarmed.url + "/alerts?live=off&rule=theirs")
    page.wait_for_selector("text=only the rule theirs")
    assert len(shown(page)) == 2
    page.reload()
    page.wait_for_selector("text=only the rule theirs")
    assert "rule=theirs" in page.url


def test_an_alert_is_silenced_by_its_tenants_editor_and_heard_again(alarmed: Site, page: Any) -> None:
    signed_in(page, alarmed, "acme editor", "/alerts?live=off&window=now-1h")
    assert len(shown(page)) == 1 and "acme" in page.inner_text("[data-alert]")
    assert [row[0] for row in rows(page, "Receivers")] == ["acme-calls"]
    page.click('button:has-text("Silence")')
    page.wait_for_selector("[role=dialog] input")
    settled(page)
    fields = [each.input_value() for each in page.query_selector_all("[role=dialog] input[type=text]")][:4]
    assert fields == ["rule", "theirs", "tenant", "acme"], "filled in from the alert"
    dialog(page, button="Silence")
    page.wait_for_selector(".lab-refused")
    page.fill('[role=dialog] input[placeholder="for whoever wonders later"]', "planned work")
    page.click('[role=dialog] button:has-text("Silence")')
    said(page, "Silenced")
    (silence,) = alarmed.ask("/api/silences", "acme viewer")
    assert silence["matchers"] == {"rule": "theirs", "tenant": "acme"} and silence["reason"] == "planned work"
    assert "planned work" in page.wait_for_selector(f'[data-silence="{silence["id"]}"]').inner_text()
    assert "silenced" in page.inner_text("[data-alert]")
    page.click('button:has-text("End")')
    dialog(page, "done", button="End the silence")
    said(page, "Ended")
    assert alarmed.ask("/api/silences", "acme viewer") == []
    page.click('button:has-text("Undo")')
    said(page, "silenced again")
    (again,) = alarmed.ask("/api/silences", "acme viewer")
    assert again["matchers"] == silence["matchers"]
    send(alarmed, "DELETE", f"/api/silences/{again['id']}")


def test_a_viewer_has_no_buttons_and_hostile_words_are_text(alarmed: Site, new_page: Callable[..., Any]) -> None:
    hostile = "<script>alert(1)</script> ![i](http://127.0.0.1:9/x) **b**"
    silence = {"matchers": {"model": "<b>*</b>"}, "seconds": 600, "reason": hostile + "x" * 1900}
    made = send(alarmed, "POST", "/api/silences", silence, "acme editor")
    page = new_page()
    asked: list[str] = []
    page.on("request", lambda request: asked.append(request.url))
    signed_in(page, alarmed, "acme viewer", "/alerts?live=off&window=now-1h&tenant=other")
    row = page.wait_for_selector(f'[data-silence="{made["id"]}"]').inner_text()
    assert hostile in row and "model <b>*</b>" in row and len(row) < 1000
    assert page.query_selector('button:has-text("Silence")') is None
    assert page.query_selector('button:has-text("End")') is None
    assert "other" not in page.inner_text('[data-testid="stMain"]')
    assert not [url for url in asked if not url.startswith((alarmed.url, "data:", "blob:"))]
    send(alarmed, "DELETE", f"/api/silences/{made['id']}")
