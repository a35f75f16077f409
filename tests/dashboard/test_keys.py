"""Keys and limits in a browser: what is shown is what the control plane says, and changes go the whole way."""

from collections.abc import Callable
from typing import Any

from llmops.pages.keys_rules import described
from llmops.viewing import figures
from tests.dashboard.changing import dialog, rows, said, send
from tests.dashboard.conftest import Site, opened, settled, signed_in
from tests.serving import until

HOSTILE = "<img src=x onerror=alert(1)> **b** ![i](http://127.0.0.1:9/x)"


def test_keys_and_their_spend_are_those_of_the_control_plane(guarded: Site, page: Any) -> None:
    signed_in(page, guarded, "admin", "/keys?live=off&state=every")
    page.wait_for_selector('[aria-label="API keys"] tbody tr')
    shown = {row[0]: row for row in rows(page, "API keys")}
    keys = {key["name"]: key for key in guarded.ask("/api/keys", "admin")}
    spend = {row["key"]: row for row in guarded.ask("/api/usage?by=key", "admin")["rows"]}
    assert set(shown) == set(keys)
    for name in ("acme-caller", "other-caller"):
        key, (_, tenant, role, _, last, calls, cost, *_) = keys[name], shown[name]
        assert (tenant, role) == (key["tenant"], key["role"]) and last in ("today", "yesterday")  # of UTC
        assert calls == figures.count(spend[key["id"]]["calls"])
        assert cost == figures.money(spend[key["id"]]["nanousd"])


def test_a_key_is_made_shown_once_rotated_and_revoked(guarded: Site, page: Any) -> None:
    signed_in(page, guarded, "acme editor", "/keys?live=off")
    page.click('button:has-text("New key")')
    dialog(page, "made here", button="Create key")
    secret = page.wait_for_selector("[role=dialog] code").inner_text()
    assert guarded.ask("/api/whoami", "acme editor")["role"] == "editor" and secret.startswith("sk-")
    page.click("text=I have kept it")
    assert "made here" in said(page, "Created the key") and secret not in page.content()
    (key,) = [each for each in guarded.ask("/api/keys", "admin") if each["name"] == "made here"]
    assert key["tenant"] == "acme" and key["id"] in secret

    page.click("text=made here >> nth=-1")
    page.wait_for_selector(".lab-panel-name")
    assert f"key={key['id']}" in page.url
    settled(page)
    page.click('button:has-text("Revoke")')
    dialog(page, "another name", button="Revoke")
    page.wait_for_selector(".lab-refused")
    assert guarded.ask("/api/keys", "admin")[-1]["state"] == "active"
    dialog(page, "made here", "no longer needed", button="Revoke")
    assert "made here" in said(page, "Revoked")
    (entry, *_) = guarded.ask(f"/api/audit?object={key['id']}", "acme viewer")["entries"]
    assert (entry["action"], entry["reason"], entry["actor"]["name"]) == (
        "key.revoke", "no longer needed", "acme-editor",
    )  # fmt: skip


def test_a_budget_is_added_shown_removed_and_brought_back(guarded: Site, page: Any) -> None:
    signed_in(page, guarded, "acme editor", "/keys?part=limits&live=off")
    page.click('button:has-text("New budget")')
    dialog(page, "nonsense", button="Add budget")
    page.wait_for_selector(".lab-refused")
    dialog(page, "12.50", button="Add budget")
    assert "$12.50 a month" in said(page, "Added the budget")
    (budget,) = guarded.ask("/api/budgets", "acme viewer")
    assert described(budget) == "$12.50 a month" and budget["tenant"] == "acme"
    page.wait_for_selector(f'[data-rule="{budget["id"]}"]')
    used = until(lambda: guarded.ask("/api/budgets", "acme viewer")[0]["used"], "the gateway to follow")
    opened(page, guarded.url + "/keys?part=limits&live=off")
    row = page.wait_for_selector(f'[data-rule="{budget["id"]}"]')
    assert figures.money(round(float(used[0]["used_usd"]) * 1e9)) in row.inner_text()
    page.click('button:has-text("Remove")')
    dialog(page, "a test", button="Remove")
    said(page, "Removed the budget")
    assert guarded.ask("/api/budgets", "acme viewer") == []
    page.click('button:has-text("Undo")')
    said(page, "there again")
    (again,) = guarded.ask("/api/budgets", "acme viewer")
    assert again["usd"] == budget["usd"]
    opened(page, guarded.url + "/keys?part=limits&live=off")
    assert page.wait_for_selector(f'[data-rule="{again["id"]}"]'), "the link survives a reload"
    send(guarded, "DELETE", f"/api/budgets/{again['id']}")


def test_a_viewer_sees_its_tenant_without_buttons(guarded: Site, page: Any) -> None:
    signed_in(page, guarded, "acme viewer", "/keys?live=off&state=every&tenant=other")
    page.wait_for_selector('[aria-label="API keys"] tbody tr')
    assert {row[1] for row in rows(page, "API keys")} == {"acme"}
    assert page.query_selector('button:has-text("New key")') is None
    key = guarded.ask("/api/keys", "acme viewer")[0]["id"]
    opened(page, f"{guarded.url}/keys?live=off&key={key}")
    page.wait_for_selector(".lab-panel-name")
    assert page.query_selector('button:has-text("Revoke")') is None
    other = next(each["id"] for each in guarded.ask("/api/keys", "admin") if each["tenant"] == "other")
    opened(page, f"{guarded.url}/keys?live=off&key={other}")
    page.wait_for_selector("text=There is no such key")
    opened(page, guarded.url + "/keys?part=tenants&live=off")
    page.wait_for_selector('[data-tenant="acme"]')
    assert page.query_selector('[data-tenant="other"]') is None


def test_a_tenant_is_disabled_and_enabled_by_an_administrator(guarded: Site, page: Any) -> None:
    signed_in(page, guarded, "admin", "/keys?part=tenants&live=off")
    page.wait_for_selector('[data-tenant="other"]')
    page.click('[class*="st-key-disable-tenant-other"] button')
    dialog(page, "other", "unpaid", button="Disable")
    said(page, "Disabled")
    assert {each["id"]: each["disabled"] for each in guarded.ask("/api/tenants", "admin")}["other"] is True
    page.click('button:has-text("Undo")')
    said(page, "enabled again")
    assert not any(each["disabled"] for each in guarded.ask("/api/tenants", "admin"))


def test_hostile_names_are_text(guarded: Site, new_page: Callable[..., Any]) -> None:
    made = send(guarded, "POST", "/api/keys", {"name": HOSTILE, "tenant": "other", "models": ["<b>x</b>" * 20]})
    page = new_page()
    asked: list[str] = []
    page.on("request", lambda request: asked.append(request.url))
    signed_in(page, guarded, "admin", f"/keys?live=off&key={made['id']}")
    page.wait_for_selector(".lab-panel-name")
    assert HOSTILE in page.inner_text(".lab-panel-name")
    assert HOSTILE in [row[0].removeprefix("▸ ") for row in rows(page, "API keys")]
    page.click('button:has-text("Revoke")')
    dialog(page, HOSTILE, button="Revoke")
    assert HOSTILE in said(page, "Revoked")
    assert not [url for url in asked if not url.startswith((guarded.url, "data:", "blob:"))]
    assert page.query_selector("img[src=x]") is None
