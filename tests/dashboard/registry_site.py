"""Prompts, releases and flags to look at, made over HTTP as people make them."""

import http.client
import json
from typing import Any

from tests.dashboard.conftest import Site
from tests.serving import HOST

HOSTILE = (
    '<img src=x onerror="alert(1)"><script>alert(2)</script> ![x](http://127.0.0.1:9/x.png) **b** $x$ \u202egnp.exe'
)
NAME, CHAT = "support/refund", "support/greeting"
FIRST = """You answer for a shop that sells bicycles.
Address the customer as {{customer}}.
Goods can be returned within {{days}} days.
Never promise a refund before the goods have arrived.
"""
SECOND = FIRST.replace("within {{days}} days", "within {{days}} days, in their box").replace(
    "Never promise", "Be brief. Never promise"
)
VARIABLES = {
    "customer": {"type": "string", "max_length": 200, "description": "How the customer is called"},
    "days": {"type": "integer", "default": 14},
}


def change(site: Site, method: str, path: str, body: Any = None, key: str | None = None) -> Any:
    """A change over HTTP; what was answered."""
    headers = {"Content-Type": "application/json"}
    if key is not None:
        headers["Authorization"] = f"Bearer {site.keys[key]}"
    connection = http.client.HTTPConnection(HOST, site.gateway.port, timeout=20)
    connection.request(method, path, json.dumps(body) if body is not None else None, headers)
    answer = connection.getresponse()
    raw = answer.read()
    connection.close()
    assert answer.status < 300, raw[:500]
    return json.loads(raw)


def fill_prompts(site: Site, key: str | None = None, query: str = "") -> None:
    """Two folders; one prompt with three versions and two labels, one hostile, one of messages."""

    def publish(name: str, **more: Any) -> None:
        change(site, "POST", f"/api/prompts{query}", {"name": name, **more}, key)

    publish(NAME, text=FIRST, variables=VARIABLES, comment="the first", labels=["production"], tags=["shop"])
    publish(NAME, text=SECOND, variables=VARIABLES, comment="shorter answers", labels=["staging"])
    publish(NAME, text=SECOND + HOSTILE, variables=VARIABLES, comment=HOSTILE, config={"model": "gpt-4o-mini"})
    publish(
        CHAT,
        messages=[
            {"role": "system", "content": "You greet {{customer}} in one sentence."},
            {"role": "user", "content": "Hello! " + HOSTILE},
            {"placeholder": "history"},
        ],
        tags=[HOSTILE[:40]],
    )
    publish("summary", text="Sum up:\n{{text}}", labels=["production"])
    change(site, "POST", f"/api/prompts/comments{query}", {"name": NAME, "version": 1, "text": HOSTILE}, key)


def fill_releases(site: Site, key: str | None = None, name: str = "support-bot", query: str = "") -> list[str]:
    """Two releases of a name, the first of them live; their ids."""
    bundle: dict[str, Any] = {
        "name": name,
        "model": "gpt-4o",
        "prompt": {"name": NAME, "version": 1},
        "parameters": {"temperature": 0.2},
    }
    made = change(site, "POST", f"/api/releases{query}", {"bundle": bundle, "reason": "the first"}, key)
    change(site, "POST", f"/api/releases/{made['id']}/live{query}", {"reason": "begin"}, key)
    better = {
        **bundle,
        "model": "gpt-4o-mini",
        "prompt": {"name": NAME, "version": 2},
        "parameters": {"temperature": 0.2, "max_tokens": 300, "stop": [HOSTILE]},
        "tools": [{"type": "function", "function": {"name": "order_status", "parameters": {"type": "object"}}}],
    }
    other = change(site, "POST", f"/api/releases{query}", {"bundle": better, "reason": HOSTILE}, key)
    gated = {**better, "requires_gate": True}
    last = change(site, "POST", f"/api/releases{query}", {"bundle": gated, "reason": "with the gate"}, key)
    return [made["id"], other["id"], last["id"]]


def fill_flags(site: Site, key: str | None = None, query: str = "") -> None:
    """One with rules and a hostile description, one of two values."""
    style = {
        "kind": "string",
        "variants": {"short": "Be brief.", "long": HOSTILE},
        "default": "short",
        "description": HOSTILE,
        "rules": [
            {"name": "staff", "when": {"attribute": "tenant", "equals": "acme"}, "serve": "long"},
            {
                "name": "pro users",
                "when": {"all": [{"attribute": "plan", "in": ["pro", "team"]},
                                 {"attribute": "app.version", "semver": ">=2.3.0"}]},
                "split": {"long": 50, "short": 50},
            },
        ],
        "split": {"long": 10, "short": 90},
    }  # fmt: skip
    change(site, "PUT", f"/api/flags/answer-style{query}", style, key)
    simple = {"kind": "boolean", "variants": {"on": True, "off": False}, "default": "off", "split": {"on": 1, "off": 3}}
    change(site, "PUT", f"/api/flags/new-search{query}", simple, key)
