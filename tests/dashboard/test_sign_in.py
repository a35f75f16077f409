"""Signing in: the gateway's own keys decide what is seen, and the browser never holds one."""

import http.client
import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

from tests.dashboard.conftest import Site, dashboard, opened, settled, signed_in
from tests.dashboard.test_overview import card


def calls_of(site: Site, holder: str) -> str:
    return str(site.ask("/api/overview", holder)["totals"]["calls"])


def test_a_viewer_sees_its_tenant_and_stays_signed_in(guarded: Site, page: Any) -> None:
    opened(page, guarded.url + "/?window=now-1h&live=off")
    assert page.query_selector(".lab-card") is None, "nothing before a key"
    page.fill("input[type=password]", guarded.keys["acme viewer"])
    page.click("form.lab-sign-in button")
    page.wait_for_selector(".lab-card")
    assert card(page, "calls") == calls_of(guarded, "acme viewer") != calls_of(guarded, "admin")
    assert "window=now-1h" in page.url, "back where the link led"
    page.reload()
    page.wait_for_selector(".lab-card")
    assert "acme-viewer" in page.inner_text("body") and "other" not in page.inner_text('[data-testid="stMain"]')

    cookies = {each["name"]: each for each in page.context.cookies()}
    cookie = cookies["llmops_dashboard"]
    assert cookie["httpOnly"] and cookie["sameSite"] == "Strict"
    assert guarded.keys["acme viewer"] not in str(cookies)
    assert guarded.keys["acme viewer"] not in page.content()


def test_another_tenant_in_the_address_shows_nothing_of_it(guarded: Site, page: Any) -> None:
    signed_in(page, guarded, "acme viewer", "/?tenant=other&live=off")
    page.wait_for_selector(".lab-card")
    own = calls_of(guarded, "acme viewer")
    assert card(page, "calls") == own != calls_of(guarded, "admin"), "its own, whatever the address says"


def test_an_administrator_narrows_to_a_tenant_by_link(guarded: Site, new_page: Callable[..., Any]) -> None:
    page = signed_in(new_page(), guarded, "admin", "/?tenant=other&live=off")
    page.wait_for_selector(".lab-card")
    assert card(page, "calls") == "10"
    opened(page, guarded.url + "/?live=off")
    page.wait_for_selector(".lab-card")
    assert int(card(page, "calls")) == guarded.ask("/api/overview", "admin")["totals"]["calls"] >= 30
    assert page.inner_text('[aria-label="Top tenants"]').count("\n") >= 2


def test_signing_out_ends_it(guarded: Site, page: Any) -> None:
    signed_in(page, guarded, "acme viewer", "/?live=off")
    page.click("text=Sign out")
    page.wait_for_selector("form.lab-sign-in")
    opened(page, guarded.url + "/")
    assert page.query_selector(".lab-card") is None


def test_wrong_keys_are_told_apart(guarded: Site, new_page: Callable[..., Any]) -> None:
    page = opened(new_page(forgive=("401",)), guarded.url + "/")
    for key, said in (("sk-wrong", "not valid here"), (guarded.keys["acme caller"], "makes calls")):
        page.fill("input[type=password]", key)
        page.click("form.lab-sign-in button")
        page.wait_for_selector(".wrong")
        assert said in page.inner_text(".wrong")
        assert key not in page.content()


def test_a_key_that_is_revoked_meanwhile_shows_nothing_more(guarded: Site, page: Any) -> None:
    def send(method: str, path: str, body: Any = None) -> Any:
        headers = {"Authorization": f"Bearer {guarded.keys['admin']}", "Content-Type": "application/json"}
        connection = http.client.HTTPConnection("127.0.0.1", guarded.gateway.port, timeout=10)
        connection.request(method, path, json.dumps(body) if body else None, headers)
        answer = json.loads(connection.getresponse().read())
        connection.close()
        return answer

    made = send("POST", "/api/keys", {"name": "brief", "role": "viewer", "tenant": "acme"})
    guarded.keys["brief"] = made["key"]
    signed_in(page, guarded, "brief", "/?window=now-1h")
    page.wait_for_selector(".lab-card")
    send("DELETE", f"/api/keys/{made['id']}")
    page.wait_for_selector("form.lab-sign-in", timeout=20_000)
    settled(page)
    assert page.query_selector(".lab-card") is None


def test_a_key_of_the_environment_signs_in_by_itself(guarded: Site, page: Any, tmp_path: Path) -> None:
    key = guarded.keys["acme viewer"]
    with dashboard(tmp_path, guarded.gateway.url, {"LLMOPS_DASHBOARD_KEY": key}) as url:
        opened(page, url + "/?live=off")
        page.wait_for_selector(".lab-card")
        assert "acme-viewer" in page.inner_text("body") and key not in page.content()
        assert page.query_selector("form.lab-sign-in") is None
        page.close()
