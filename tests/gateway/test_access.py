"""Who may use what: every route of the running application against every kind of credential, over HTTP."""

import itertools
import json
import time
from collections.abc import AsyncIterator, Callable
from pathlib import Path
from typing import Any

import pytest
from fastapi import APIRouter, Depends, FastAPI
from fastapi.routing import APIRoute

from llmops.clock import ManualClock
from llmops.gateway.api.documentation import add_documentation
from llmops.gateway.api.roles import PUBLIC, check_all_guarded, least, roles_of, routes_of
from llmops.gateway.application import HOT_ROUTES
from llmops.identity.directory import IdentityDirectory
from llmops.opening import open_identity
from llmops.settings import Settings
from llmops.spend.rule_directory import RuleDirectory
from llmops.spend.stored_rule import read_settings
from tests.fakes.gateway import CHAT, MESSAGES, USER, Answer, Gateway, http_request
from tests.identity.tokens import AUDIENCE, ISSUER, a_signer

Build = Callable[..., Settings]

#: The least role that each route of the control plane, and each plain GET route, asks for: None is public, "any" a key
#: of any role. A route that is missing here fails the test below.
LEAST: dict[str, str | None] = {
    "GET /": None,
    "GET /health": None,
    "GET /ready": None,
    "GET /docs": None,
    "GET /openapi.json": None,
    "GET /v1/models": "any",
    "GET /metrics": "viewer",
    "GET /api/status": "viewer",
    "GET /api/whoami": "viewer",
    "GET /api/models": "viewer",
    "GET /api/config": "admin",
    "GET /api/tenants": "viewer",
    "POST /api/tenants": "admin",
    "PATCH /api/tenants/{tenant_id}": "admin",
    "GET /api/deployments": "viewer",
    "GET /api/usage": "viewer",
    **{
        f"GET /api/{what}": "viewer"
        for what in (
            "alerts",
            "alerts/history",
            "alerts/receivers",
            "audit",
            "cache",
            "drift",
            "forecast",
            "overview",
            "scores",
            "scores/figures",
            "scores/course",
            "scores/judged",
            "scores/spread",
            "series",
            "sessions",
            "silences",
            "slos",
            "slos/history",
            "steps",
            "traces",
            "traces/{trace_id}",
            "traces/{trace_id}/spans",
            "usage/tags",
        )
    },
    "GET /api/exports": "admin",
    "GET /api/metrics": "admin",
    **{f"GET /api/datasets{what}": "viewer" for what in ("", "/{dataset}", "/{dataset}/cases", "/{dataset}/diff")},
    **{
        f"GET /api/evals/{what}": "viewer"
        for what in (
            "runs",
            *(f"runs/{{run}}{part}" for part in ("", "/distribution", "/cells", "/case")),
            "compare",
            "compare/cases",
            "gates",
            "gates/{decision}",
            "baselines",
            "metrics",
            "trend",
        )
    },
    "POST /api/datasets": "editor",
    "DELETE /api/datasets/{dataset}": "editor",
    **{f"{method} /api/datasets/{{dataset}}/labels/{{label}}": "editor" for method in ("PUT", "DELETE")},
    **{f"GET /api/review/queues{what}": "viewer" for what in ("", "/{queue}", "/{queue}/items")},
    **{
        what: "editor"
        for what in (
            "POST /api/review/queues",
            "DELETE /api/review/queues/{queue}",
            *(f"POST /api/review/queues/{{queue}}/{what}" for what in ("items", "next", "undo")),
            *(f"POST /api/review/queues/{{queue}}/items/{{item}}/{what}" for what in ("answer", "skip")),
        )
    },
    **{
        f"GET /api/prompts{what}": "viewer"
        for what in ("", *(f"/{part}" for part in ("versions", "version", "labels", "comments", "diff", "usage")))
    },
    "POST /api/prompts/render": "viewer",
    **{f"{method} /api/prompts": "editor" for method in ("POST", "DELETE")},
    **{f"{method} /api/prompts/labels": "editor" for method in ("PUT", "DELETE")},
    **{f"POST /api/prompts/{what}": "editor" for what in ("rollback", "comments")},
    **{f"GET /api/public/v2/prompts{what}": "any" for what in ("", "/{name:path}")},
    "POST /api/public/v2/prompts": "editor",
    "PATCH /api/public/v2/prompts/{name:path}/versions/{version}": "editor",
    "DELETE /api/cache": "editor",
    **{f"GET /api/{what}": "viewer" for what in ("flags", "flags/{key}", "releases")},
    **{f"{method} /api/flags/{{key}}": "editor" for method in ("PUT", "DELETE")},
    **{f"GET /api/releases/{{release_id}}{what}": "viewer" for what in ("", "/diff")},
    **{f"POST /api/releases{what}": "editor" for what in ("", "/rollback")},
    **{f"POST /api/releases/{{release_id}}/{what}": "editor" for what in ("live", "verdicts")},
    **{f"GET /api/rollouts{what}": "viewer" for what in ("", "/{rollout_id}")},
    "POST /api/rollouts/plan": "viewer",
    "POST /api/rollouts": "editor",
    **{f"POST /api/rollouts/{{rollout_id}}/{what}": "editor" for what in ("pause", "resume", "promote", "rollback")},
    **{f"POST /ofrep/v1/evaluate/flags{what}": "any" for what in ("", "/{key}")},
    "POST /api/silences": "editor",
    "DELETE /api/silences/{silence_id}": "editor",
    "POST /api/scores": "any",
    "POST /v1/traces": "any",
    "GET /api/counters": "admin",
    "GET /api/keys": "viewer",
    "POST /api/keys": "editor",
    "POST /api/keys/{key_id}/rotate": "editor",
    "DELETE /api/keys/{key_id}": "editor",
    **{f"GET /api/{kind}": "viewer" for kind in ("limits", "budgets")},
    **{f"POST /api/{kind}": "editor" for kind in ("limits", "budgets")},
    **{f"DELETE /api/{kind}/{{rule_id}}": "editor" for kind in ("limits", "budgets")},
    **{f"POST {path}": "caller" for path in HOT_ROUTES},
}
ROLLOUT = {"name": "none", "candidate": "rel-0123456789abcdef", "guards": [{"metric": "error", "margin": 0.1}]}
BODIES: dict[str, Callable[[int], Any]] = {
    "POST /api/prompts": lambda number: {"name": f"made-{number}", "text": "Hi"},
    "POST /api/public/v2/prompts": lambda number: {"name": f"told-{number}", "prompt": "Hi"},
    "POST /api/prompts/render": lambda _: {"name": "none"},
    "PUT /api/prompts/labels": lambda _: {"name": "none", "label": "staging", "version": 1},
    "POST /api/prompts/rollback": lambda _: {"name": "none"},
    "POST /api/prompts/comments": lambda _: {"name": "none", "version": 1, "text": "Hi"},
    "PATCH /api/public/v2/prompts/{name:path}/versions/{version}": lambda _: {"newLabels": ["staging"]},
    "PUT /api/flags/{key}": lambda _: {"variants": {"on": True}, "default": "on"},
    "POST /api/releases": lambda number: {"bundle": {"name": f"made-{number}", "model": "mock"}},
    "POST /api/releases/rollback": lambda _: {"name": "none", "reason": "a test"},
    "POST /api/releases/{release_id}/live": lambda _: {"reason": "a test"},
    "POST /api/releases/{release_id}/verdicts": lambda _: {"verdict": "PASS", "run_ids": ["none"]},
    **{f"POST /api/rollouts{what}": lambda _: {"plan": ROLLOUT} for what in ("", "/plan")},
    **{
        f"POST /api/rollouts/{{rollout_id}}/{what}": lambda _: {"reason": "a test"}
        for what in ("pause", "resume", "promote", "rollback")
    },
    **{f"POST /ofrep/v1/evaluate/flags{what}": lambda _: {"context": {}} for what in ("", "/{key}")},
    "POST /api/tenants": lambda number: {"id": f"made-{number}"},
    "PATCH /api/tenants/{tenant_id}": lambda _: {"disabled": False},
    "POST /api/keys": lambda _: {"name": "made"},
    "POST /api/keys/{key_id}/rotate": lambda _: {},
    "POST /api/limits": lambda _: {"tokens_per_day": 10**12, "shadow": True},
    "POST /api/budgets": lambda _: {"usd": 1, "hard": False},
    "POST /api/silences": lambda _: {"matchers": {"rule": "none"}, "seconds": 60, "reason": "a test"},
    "POST /api/scores": lambda _: {"trace_id": "0" * 31 + "1", "name": "thumb", "value": 1},
    "POST /api/datasets": lambda number: {"name": f"made-{number}", "cases": [{"input": "Hi"}]},
    "PUT /api/datasets/{dataset}/labels/{label}": lambda _: {"version": "latest"},
    "POST /api/review/queues": lambda number: {"name": f"made-{number}", "question": "q", "kind": "text"},
    "POST /api/review/queues/{queue}/items": lambda _: {"items": [{"input": "Hi", "output": "Hello"}]},
    "POST /api/review/queues/{queue}/items/{item}/answer": lambda _: {"answer": "good"},
    **{f"POST /api/review/queues/{{queue}}/{what}": lambda _: {} for what in ("next", "undo", "items/{item}/skip")},
    "POST /v1/traces": lambda _: {"resourceSpans": []},
    "POST /v1/chat/completions": lambda _: CHAT,
    "POST /v1/responses": lambda _: {"model": "mock", "input": "Hi"},
    "POST /v1/messages": lambda _: MESSAGES,
    "POST /v1/messages/count_tokens": lambda _: {"model": "mock", "messages": USER},
    "POST /v1/embeddings": lambda _: {"model": "mock", "input": "Hi"},
}
MAKING = {
    f"POST /api/{what}"
    for what in (
        "tenants",
        "keys",
        "limits",
        "budgets",
        "silences",
        "scores",
        "datasets",
        "releases",
        "review/queues",
        "prompts",
    )
}
RANK = {"viewer": 1, "editor": 2, "admin": 3}
HOLDERS = {
    "nobody": None,
    "garbage": None,
    "caller": "caller",
    "viewer": "viewer",
    "editor": "editor",
    "admin": "admin",
    "revoked": None,
    "expired": None,
    "disabled": None,
    "stranger viewer": "viewer",
    "stranger editor": "editor",
    "token caller": "caller",
    "token viewer": "viewer",
    "token editor": "editor",
    "token admin": "admin",
    "token stranger editor": "editor",
    "token expired": None,
    "token disabled": None,
    "token unsigned": None,
}


class House:
    """A gateway whose keys belong to the tenants ``acme``, ``other`` and the disabled ``gone``."""

    def __init__(self, gateway: Gateway, identity: IdentityDirectory) -> None:
        self.gateway = gateway
        self.registry = identity.registry
        self.rules = RuleDirectory(identity.database, ManualClock(), is_tenant=identity.registry.has_tenant).registry
        registry, past = identity.registry, ManualClock().now_s()
        for tenant in ("acme", "other", "gone"):
            registry.create_tenant(tenant)
        self.keys: dict[str, str | None] = {"nobody": None, "garbage": "sk-garbage"}
        self.ids: dict[str, str] = {}

        def make(holder: str, role: Any, tenant: str = "acme", **fields: Any) -> None:
            key, credential = registry.create_key(name=holder, role=role, tenant=tenant, **fields)
            self.keys[holder], self.ids[holder] = str(credential), key.id

        for role in ("caller", "viewer", "editor", "admin"):
            make(role, role)
        make("revoked", "admin")
        registry.revoke(self.ids["revoked"])
        make("expired", "admin", expires_at_s=past + 1)
        make("disabled", "admin", "gone")
        registry.set_disabled("gone", True)
        make("stranger viewer", "viewer", "other")
        make("stranger editor", "editor", "other")
        for holder in HOLDERS:
            if holder.startswith("token "):
                self.keys[holder] = a_token(holder)

    def add_rule(self, kind: str) -> str:
        """A limit or budget of the tenant ``acme``'s own, which refuses nothing."""
        values = {"usd": 1, "hard": False} if kind == "budget" else {"tokens_per_day": 10**12, "shadow": True}
        return self.rules.add(read_settings(kind, values), tenant="acme").id  # type: ignore[arg-type]

    def rule_ids(self) -> set[str]:
        return {rule.id for kind in ("limit", "budget") for rule in self.rules.rules(kind)}  # type: ignore[arg-type]

    async def ask(self, holder: str, method: str, path: str, body: Any = None) -> Answer:
        key = self.keys[holder]
        async with await self.gateway.connect() as connection:
            await connection.send(
                http_request(method, path, body, {"Authorization": f"Bearer {key}"} if key is not None else {})
            )
            return await connection.read_answer()


def a_token(holder: str) -> str:
    """What an identity provider would give that holder."""
    life_s = -600 if "expired" in holder else 600
    tenant = "other" if "stranger" in holder else "gone" if "disabled" in holder else "acme"
    scope = {"caller": "llmops:call", None: "llmops:admin"}.get(HOLDERS[holder], f"llmops:{HOLDERS[holder]}")
    token = a_signer().sign(tenant=tenant, scope=scope, iat=time.time() - 1200, exp=time.time() + life_s)
    return token if "unsigned" not in holder else token.rpartition(".")[0] + "." + "A" * 86


@pytest.fixture
async def house(settings: Build, tmp_path: Path) -> AsyncIterator[House]:
    file = tmp_path / "jwks.json"
    file.write_text(json.dumps({"keys": [a_signer().public()]}))
    issuer = {"name": "corp", "issuer": ISSUER, "audience": AUDIENCE, "algorithms": ["ES256"], "jwks_file": str(file)}
    built = settings(auth={"refresh_seconds": 0.05, "jwt": [issuer]})
    identity = open_identity(built, ManualClock())
    gateway = Gateway(built)
    found = House(gateway, identity)
    async with gateway:
        yield found
    identity.close()


def routes_in(gateway: Gateway) -> set[str]:
    """Every route there is: the hot ones, the plain ones, and those of the control plane's framework."""
    app: FastAPI = gateway.app.control_plane.build()  # type: ignore[attr-defined]
    found = {f"POST {path}" for path in HOT_ROUTES} | {f"GET {path}" for path in gateway.app.get_routes}
    found |= {f"POST {path}" for path in gateway.app.post_routes}
    for route in routes_of(app):
        found |= {f"{method} {route.path}" for method in route.methods - {"HEAD"}}  # type: ignore[attr-defined]
    return found


def expected(route: str, holder: str) -> int:
    """The status that the roles say."""
    role, wanted = HOLDERS[holder], LEAST[route]
    good = 201 if route in MAKING else 200
    if wanted is None:
        return good
    if role is None:
        return 401
    if "{name:path}" in route and role is not None and wanted == "any":
        return 404
    if wanted == "any":
        return 404 if "{key}" in route else good
    if wanted == "caller":
        return good if role == "caller" else 403
    if RANK.get(role, 0) < RANK[wanted]:
        return 403
    if ("{key_id}" in route or "{rule_id}" in route) and "stranger" in holder:
        return 404
    if route in ("POST /api/rollouts", "POST /api/rollouts/plan") or "{rollout_id}" in route:
        return 404  # no release of that name is live
    if "{release_id}" in route or route.endswith("/rollback") or ("{key}" in route and not route.startswith("PUT ")):
        return 404
    if ("prompts" in route and not route.endswith("prompts")) or route == "DELETE /api/prompts":
        return 404
    if route == "DELETE /api/cache" and "stranger" in holder:
        return 403
    if any(f"{{{name}}}" in route for name in ("silence_id", "trace_id", "dataset", "queue", "run", "decision")):
        return 404
    if "/api/evals/compare" in route:
        return 404
    return good


@pytest.mark.timeout(180)  # some 2,500 calls
async def test_every_route_is_judged_for_every_credential(house: House) -> None:
    """Nothing is reached that the table does not say; a route that is not in the table is a failure."""
    routes = routes_in(house.gateway)
    assert routes == set(LEAST)
    number = itertools.count()
    wrong = []
    victim, _ = house.registry.create_key(name="victim", tenant="acme")
    for route, holder in itertools.product(sorted(routes), HOLDERS):
        if "{key_id}" in route:  # what an earlier one has rotated or revoked says nothing
            victim, _ = house.registry.create_key(name="victim", tenant="acme")
        method, path = route.split(" ")
        rule_id = house.add_rule("budget" if "budgets" in path else "limit") if "{rule_id}" in path else ""
        names = ("silence_id", "dataset", "label", "queue", "item", "key", "run", "decision")
        nothing = dict.fromkeys((*names, "release_id", "rollout_id"), "none")
        path = path.replace("{name:path}", "none").replace("{version}", "1")
        path = path.format(key_id=victim.id, tenant_id="acme", rule_id=rule_id, trace_id="0" * 32, **nothing)
        path += "?name=none&label=staging" if "/api/prompts" in route and method in ("GET", "DELETE") else ""
        path += "?tenant=acme" if route == "DELETE /api/cache" else ""
        path += f"{'&' if '?' in path else '?'}before=latest&other=none" if route.endswith("/diff") else ""
        path += "?first=none&second=none&metric=none&dataset=none&case=none" if "/api/evals/" in route else ""
        body = BODIES[route](next(number)) if route in BODIES else None
        answer = await house.ask(holder, method, path, body)
        if answer.status != expected(route, holder):
            wrong.append((route, holder, answer.status, answer.body[:200]))
        if answer.status >= 400:
            said = answer.json()
            error = (
                said if path == "/v1/traces" or "errorCode" in said or "message" in said else said["error"]
            )  # OTLP's own form, and OFREP's
            assert (error.get("message") or error["errorDetails"]) and answer.headers["x-request-id"], (route, holder)
            secret = (house.keys[holder] or "").rpartition("." if holder.startswith("token") else "-")[2]
            assert not secret or secret not in answer.body.decode(), (route, holder)
        state = house.registry.key(victim.id).state(0)
        assert (state == "revoked") == (route.startswith("DELETE /api/keys") and answer.status == 200), (route, holder)
        assert not rule_id or (rule_id in house.rule_ids()) == (answer.status != 200), (route, holder)
    assert not wrong, "\n".join(f"{route} {holder} {status} {body!r}" for route, holder, status, body in wrong)


# --- a route without a role -------------------------------------------------------------------------------------


def test_a_route_that_names_no_role_stops_the_building() -> None:
    async def reveal() -> str:
        return "all"

    forgetful = APIRouter(prefix="/api")
    forgetful.get("/reveal")(reveal)
    nested = APIRouter()
    nested.include_router(forgetful)
    for include in (
        lambda app: app.include_router(forgetful),
        lambda app: app.include_router(nested),
        lambda app: app.get("/api/reveal")(reveal),
        lambda app: app.add_route("/api/reveal", reveal),
        lambda app: app.add_route("/docs/reveal", reveal),
        lambda app: app.mount("/api/reveal", FastAPI()),
        lambda app: app.websocket("/api/reveal")(reveal),
    ):
        app = FastAPI(docs_url=None, redoc_url=None)
        include(app)
        with pytest.raises(RuntimeError, match="names no role"):
            check_all_guarded(app)


def test_a_route_with_a_role_does_not_stop_it() -> None:
    app, guarded = FastAPI(docs_url=None, redoc_url=None), APIRouter(prefix="/api")
    guarded.get("/shown", dependencies=[Depends(least("viewer"))])(lambda: "shown")
    app.include_router(guarded)
    add_documentation(app, roles_of(app))
    check_all_guarded(app)
    assert roles_of(app) == {("GET", "/api/shown"): "viewer"}
    assert {route.path for route in routes_of(app) if not isinstance(route, APIRoute)} == PUBLIC  # type: ignore[attr-defined]


async def test_the_hidden_and_the_unknown_are_refused_before_they_are_looked_for(house: House) -> None:
    for path in ("/api/", "/api/nothing", "/api/keys/", "/api/../api/config", "/api/%2e%2e/config"):
        assert (await house.ask("nobody", "GET", path)).status == 401, path
    assert (await house.ask("admin", "GET", "/api/nothing")).status == 404
    assert (await house.ask("admin", "PUT", "/api/keys")).status == 405
    assert (await house.ask("nobody", "GET", "/redoc")).status == 404


# --- ranks and tenants ------------------------------------------------------------------------------------------


async def test_an_editor_touches_no_key_above_its_own(house: House) -> None:
    for method, path, body in (
        ("POST", "/api/keys", {"name": "n", "role": "admin"}),
        ("POST", f"/api/keys/{house.ids['admin']}/rotate", {}),
        ("DELETE", f"/api/keys/{house.ids['admin']}", None),
    ):
        answer = await house.ask("editor", method, path, body)
        assert answer.status == 403 and "beyond the role 'editor'" in answer.json()["error"]["message"], path
        assert (await house.ask("admin", method, path, body)).status in (200, 201)


async def test_an_editor_makes_keys_of_its_own_tenant_only(house: House) -> None:
    for role in ("caller", "viewer", "editor"):
        made = await house.ask("editor", "POST", "/api/keys", {"name": "n", "role": role})
        assert (made.status, made.json()["tenant"], made.json()["role"]) == (201, "acme", role)
    assert (await house.ask("editor", "POST", "/api/keys", {"name": "n", "tenant": "other"})).status == 403
    assert (await house.ask("admin", "POST", "/api/keys", {"name": "n", "tenant": "other"})).status == 201
    assert (await house.ask("admin", "POST", "/api/keys", {"name": "n", "tenant": "nobody"})).status == 404
    assert (await house.ask("admin", "POST", "/api/keys", {"name": "n"})).json()["tenant"] == "default"


async def test_another_tenants_key_cannot_be_told_from_one_that_does_not_exist(house: House) -> None:
    for holder, suffix, method in (("stranger editor", "", "DELETE"), ("stranger editor", "/rotate", "POST")):
        answers = []
        for key_id in (house.ids["caller"], "aaaaaaaaaaaa"):
            answer = await house.ask(holder, method, f"/api/keys/{key_id}{suffix}", {} if suffix else None)
            error = {name: value for name, value in answer.json()["error"].items() if name != "request_id"}
            answers.append((answer.status, json.dumps(error).replace(key_id, "…")))
        assert answers[0] == answers[1] and answers[0][0] == 404
    for strange in ("%00", "%ff", "..", "x" * 3000, "'%20OR%201=1", "%E2%80%AE"):
        assert (await house.ask("admin", "DELETE", f"/api/keys/{strange}")).status in (404, 405), strange


async def test_lists_hold_what_the_callers_tenant_has(house: House) -> None:
    for holder, tenants in (("viewer", {"acme"}), ("stranger viewer", {"other"}), ("admin", {"acme", "other", "gone"})):
        keys = (await house.ask(holder, "GET", "/api/keys")).json()
        assert {key["tenant"] for key in keys} == tenants
        assert {tenant["id"] for tenant in (await house.ask(holder, "GET", "/api/tenants")).json()} == tenants
        assert not [
            secret for secret in house.keys.values() if secret and len(secret) > 16 and secret[16:] in json.dumps(keys)
        ]
    assert (await house.ask("viewer", "GET", "/api/keys?tenant=other")).json() == []
    assert (await house.ask("admin", "GET", "/api/keys?tenant=%00")).json() == []
    assert {key["tenant"] for key in (await house.ask("admin", "GET", "/api/keys?tenant=other")).json()} == {"other"}


# --- bad input --------------------------------------------------------------------------------------------------

BAD: list[tuple[str, str, Any, str]] = [
    ("POST", "/api/keys", b"{", "JSON"),
    ("POST", "/api/keys", b"[" * 100_000, ""),
    ("POST", "/api/keys", {}, "name"),
    ("POST", "/api/keys", {"name": "n", "digest": "x"}, "digest"),
    ("POST", "/api/keys", {"name": "n", "role": "owner"}, "role"),
    ("POST", "/api/keys", {"name": "n\x00"}, "name"),
    ("POST", "/api/keys", {"name": "n", "operations": ["fly"]}, "operations"),
    ("POST", "/api/keys", {"name": "n", "models": [7]}, "models"),
    ("POST", "/api/keys", {"name": "n", "expires_at": "yesterday"}, "expires_at"),
    ("POST", "/api/keys", {"name": "n", "expires_at": "2020-01-01T00:00:00Z"}, "expires_at"),
    ("POST", "/api/keys", {"name": "n", "expires_at": "9999-12-31T23:59:59-14:00"}, "expires_at"),
    ("POST", "/api/keys", {"name": "n", "expires_at": "0001-01-01T00:00:00+14:00"}, "expires_at"),
    ("POST", "/api/keys", {"name": "n", "timeout_seconds": 0}, "timeout_seconds"),
    ("POST", "/api/keys", {"name": "n", "timeout_seconds": 3601}, "timeout_seconds"),
    ("POST", "/api/tenants", {"id": "Not Plain"}, "id"),
    ("POST", "/api/tenants", {"id": "x", "name": "\x1b[31m"}, "name"),
    ("PATCH", "/api/tenants/acme", {"disabled": "perhaps"}, "disabled"),
]


async def test_bad_input_is_a_400_that_names_it_and_nothing_is_written(house: House) -> None:
    before = house.registry.keys(), house.registry.tenants()
    for method, path, body, param in BAD:
        answer = await house.ask("admin", method, path, body)
        assert answer.status == 400, (body, answer)
        error = answer.json()["error"]
        assert param.lower() in f"{error['param']} {error['message']}".lower() and len(error["message"]) < 400, error
    key = house.ids["caller"]
    for grace in (-1, "NaN", 1e300, "soon"):
        assert (await house.ask("admin", "POST", f"/api/keys/{key}/rotate", {"grace_seconds": grace})).status == 400
    assert (await house.ask("admin", "POST", "/api/tenants", {"id": "acme"})).status == 409
    assert (await house.ask("admin", "PATCH", "/api/tenants/nobody", {"disabled": True})).status == 404
    assert (house.registry.keys(), house.registry.tenants()) == before


async def test_a_large_body_is_refused_and_a_strangers_is_not_even_read(house: House) -> None:
    large = b" " * 1_000_001
    assert (await house.ask("admin", "POST", "/api/keys", large)).status == 413
    async with await house.gateway.connect() as connection:
        await connection.send(b"POST /api/keys HTTP/1.1\r\nHost: x\r\nContent-Length: 1000000\r\n\r\n")
        assert (await connection.read_head())[0] == 401, "answered with the body still to come"


async def test_guesses_are_in_the_log_without_what_was_guessed(house: House) -> None:
    guesses = [f"sk-{number:012d}-{'g' * 48}" for number in range(100)]
    for number, guess in enumerate(guesses):
        house.keys["guess"] = guess
        path = ("/api/keys", "/v1/models")[number % 2]
        assert (await house.ask("guess", "GET", path)).status == 401
        assert (await house.ask("guess", "POST", "/v1/chat/completions", CHAT)).status == 401
    await house.ask("viewer", "GET", "/metrics")
    text = (house.gateway.log_dir / "gateway.jsonl").read_text()
    refused = [json.loads(line) for line in text.splitlines()]
    assert len(refused) == 200 and {line["error_type"] for line in refused} == {"invalid_api_key"}
    assert "g" * 48 not in text and "sk-0" not in text


# --- models -----------------------------------------------------------------------------------------------------


@pytest.fixture
async def choosy(settings: Build) -> AsyncIterator[tuple[Gateway, dict[str, str]]]:
    built = settings({name: [{"provider": "mock"}] for name in ("gpt-4o", "gpt-4o-mini", "claude")})
    identity = open_identity(built)
    header = {"Authorization": f"Bearer {identity.registry.create_key(name='n', models=['gpt-*'])[1]}"}
    async with Gateway(built) as gateway:
        yield gateway, header
    identity.close()


async def test_the_model_list_holds_what_the_key_may_use(choosy: tuple[Gateway, dict[str, str]]) -> None:
    gateway, key = choosy
    listed = (await gateway.get("/v1/models", key)).json()
    assert [model["id"] for model in listed["data"]] == ["gpt-4o", "gpt-4o-mini"]
    anthropic = {**key, "anthropic-version": "2023-06-01"}
    assert (await gateway.get("/v1/models", anthropic)).json()["last_id"] == "gpt-4o-mini"
    assert (await gateway.get("/v1/models/gpt-4o", key)).status == 200
    refused = await gateway.get("/v1/models/claude", key)
    assert refused.status == 404 and "configured: gpt-4o, gpt-4o-mini" in refused.json()["error"]["message"]


async def test_a_key_without_a_visible_model_gets_an_empty_list(settings: Build) -> None:
    built = settings()
    identity = open_identity(built)
    credential = identity.registry.create_key(name="n", models=["nothing"])[1]
    async with Gateway(built) as gateway:
        for more in ({}, {"anthropic-version": "2023-06-01"}):
            listed = await gateway.get("/v1/models", {"x-api-key": str(credential), **more})
            assert (listed.status, listed.json()["data"]) == (200, [])
    identity.close()


async def test_a_call_of_another_model_is_a_403_in_the_dialects_shape(choosy: tuple[Gateway, dict[str, str]]) -> None:
    gateway, key = choosy
    assert (await gateway.post("/v1/chat/completions", {**CHAT, "model": "gpt-4o"}, key)).status == 200
    refused = await gateway.post("/v1/chat/completions", {**CHAT, "model": "claude"}, key)
    error = refused.json()["error"]
    assert (refused.status, error["code"], error["param"]) == (403, "forbidden", "model")
    assert "may not use the model 'claude'; it may use gpt-*" in error["message"]
    refused = await gateway.post("/v1/messages", {**MESSAGES, "model": "claude"}, key)
    assert (refused.status, refused.json()["error"]["type"]) == (403, "permission_error")


# --- a database that is lost ------------------------------------------------------------------------------------


async def test_without_its_database_the_gateway_goes_on_with_the_keys_it_knows(house: House) -> None:
    for file in house.gateway.log_dir.parent.glob("llmops.db*"):
        file.unlink()

    async def problems() -> str:
        return " ".join((await house.gateway.get("/health")).json()["problems"])

    while "keys cannot be refreshed" not in await problems():
        pass
    assert "is gone" in await problems()
    assert (await house.ask("caller", "POST", "/v1/chat/completions", CHAT)).status == 200
    assert (await house.ask("garbage", "POST", "/v1/chat/completions", CHAT)).status == 401
    for method, path, body in (("GET", "/api/keys", None), ("POST", "/api/keys", {"name": "n"})):
        refused = await house.ask("admin", method, path, body)
        assert (refused.status, refused.json()["error"]["code"]) == (503, "store_unavailable")
    assert not (house.gateway.log_dir.parent / "llmops.db").exists()
