"""``/api/limits`` and ``/api/budgets`` of a running gateway: who sees and changes what, and that it holds at once."""

import asyncio
import time
from collections.abc import AsyncIterator, Callable
from typing import Any

import pytest

from llmops.opening import open_identity
from llmops.settings import Settings
from tests.fakes.gateway import CHAT, Answer, Gateway, http_request

BOTH = [("limits", {"concurrent_calls": 3}), ("budgets", {"usd": "5"})]


class House:
    """A gateway whose keys belong to ``acme`` and ``other``, with a limit and a budget in its configuration."""

    def __init__(self, gateway: Gateway, keys: dict[str, str]) -> None:
        self.gateway = gateway
        self.keys = keys

    async def ask(self, holder: str, method: str, path: str, body: Any = None) -> Answer:
        async with await self.gateway.connect() as connection:
            await connection.send(http_request(method, path, body, {"Authorization": f"Bearer {self.keys[holder]}"}))
            return await connection.read_answer()

    async def ids(self, holder: str, kind: str) -> set[str]:
        answer = await self.ask(holder, "GET", f"/api/{kind}")
        assert answer.status == 200, answer
        return {rule["id"] for rule in answer.json() if rule["source"] == "database"}

    async def call(self, holder: str = "acme caller") -> Answer:
        return await self.ask(holder, "POST", "/v1/chat/completions", CHAT)

    async def until(self, status: int, holder: str = "acme caller") -> Answer:
        async with asyncio.timeout(5):
            while (answer := await self.call(holder)).status != status:
                pass
        return answer


@pytest.fixture
async def house(settings: Callable[..., Settings]) -> AsyncIterator[House]:
    built = settings(
        auth={"refresh_seconds": 0.05},
        limits={"rules": [{"name": "shared", "tokens_per_day": 10**9, "where": {"tenant": "acme"}}]},
    )
    built = built.model_copy(update={"budgets": Settings.model_validate({"budgets": [{"usd": 1000}]}).budgets})
    identity = open_identity(built)
    keys: dict[str, str] = {"root": str(identity.registry.create_key(name="root", role="admin")[1])}
    for tenant in ("acme", "other"):
        identity.registry.create_tenant(tenant)
        for role in ("caller", "viewer", "editor"):
            key = identity.registry.create_key(name=role, role=role, tenant=tenant)  # type: ignore[arg-type]
            keys[f"{tenant} {role}"] = str(key[1])
    identity.close()
    async with Gateway(built) as gateway:
        yield House(gateway, keys)


# --- whose they are ---------------------------------------------------------------------------------------------


@pytest.mark.parametrize(("kind", "body"), BOTH)
async def test_the_life_of_a_rule(kind: str, body: dict[str, Any], house: House) -> None:
    made = await house.ask("root", "POST", f"/api/{kind}", {**body, "per": "tenant", "name": "n"})
    assert made.status == 201
    rule = made.json()
    assert (rule["source"], rule["tenant"], rule["per"], rule["name"]) == ("database", None, ["tenant"], "n")
    assert rule.items() >= body.items()
    assert await house.ids("root", kind) == {rule["id"]}
    other = next(each for each, _ in BOTH if each != kind)
    assert (await house.ask("root", "DELETE", f"/api/{other}/{rule['id']}")).status == 404
    assert (await house.ask("root", "DELETE", f"/api/{kind}/{rule['id']}")).json()["id"] == rule["id"]
    assert (await house.ask("root", "DELETE", f"/api/{kind}/{rule['id']}")).status == 404
    assert await house.ids("root", kind) == set()


@pytest.mark.parametrize(("kind", "body"), BOTH)
async def test_an_editors_rule_is_bound_to_its_own_tenant(kind: str, body: dict[str, Any], house: House) -> None:
    for where in ({}, {"tenant": "acme"}, {"model": "*"}):
        made = await house.ask("acme editor", "POST", f"/api/{kind}", {**body, "where": where})
        assert (made.status, made.json()["tenant"], made.json()["where"]["tenant"]) == (201, "acme", "acme")
    for tenant in ("other", "nobody", "*", "acm*"):
        refused = await house.ask("acme editor", "POST", f"/api/{kind}", {**body, "where": {"tenant": tenant}})
        assert (refused.status, refused.json()["error"]["param"]) == (403, "where.tenant"), tenant
    assert len(await house.ids("root", kind)) == 3


@pytest.mark.parametrize(("kind", "body"), BOTH)
async def test_another_tenants_rule_cannot_be_told_from_one_that_does_not_exist(
    kind: str, body: dict[str, Any], house: House
) -> None:
    mine = (await house.ask("acme editor", "POST", f"/api/{kind}", body)).json()["id"]
    general = (await house.ask("root", "POST", f"/api/{kind}", body)).json()["id"]
    imposed = await house.ask("root", "POST", f"/api/{kind}", {**body, "where": {"tenant": "acme"}})
    assert await house.ids("acme viewer", kind) == {mine, imposed.json()["id"]}
    assert await house.ids("other viewer", kind) == set()
    answers = []
    for rule in (mine, general, "0" * 12):
        answer = await house.ask("other editor", "DELETE", f"/api/{kind}/{rule}")
        answers.append((answer.status, answer.json()["error"]["message"].replace(rule, "…")))
    assert answers[0] == answers[1] == answers[2] and answers[0][0] == 404
    refused = await house.ask("acme editor", "DELETE", f"/api/{kind}/{imposed.json()['id']}")
    assert refused.status == 403 and "set by an administrator" in refused.json()["error"]["message"]
    assert (await house.ask("acme editor", "DELETE", f"/api/{kind}/{mine}")).status == 200
    assert await house.ids("root", kind) == {general, imposed.json()["id"]}


async def test_the_configurations_rules_are_shown_and_cannot_be_removed(house: House) -> None:
    (limit,) = (await house.ask("root", "GET", "/api/limits")).json()
    (budget,) = (await house.ask("root", "GET", "/api/budgets")).json()
    assert (limit["id"], limit["source"], limit["tokens_per_day"]) == ("limit:shared", "configuration", 10**9)
    assert (budget["source"], budget["usd"], budget["window"]) == ("configuration", "1000", "month")
    assert (await house.ask("acme viewer", "GET", "/api/limits")).json()[0]["name"] == "shared"
    for holder, kind in (("acme viewer", "budgets"), ("other viewer", "limits"), ("other viewer", "budgets")):
        assert (await house.ask(holder, "GET", f"/api/{kind}")).json() == [], (holder, kind)
    refused = await house.ask("root", "DELETE", "/api/limits/limit:shared")
    assert refused.status == 404 and "changed in its file" in refused.json()["error"]["message"]
    for strange in ("%00", "%ff", "..", "x" * 3000, "'%20OR%201=1", "%E2%80%AE"):
        assert (await house.ask("root", "DELETE", f"/api/limits/{strange}")).status in (404, 405), strange


async def test_what_is_used_is_shown(house: House) -> None:
    assert (await house.call()).status == 200
    async with asyncio.timeout(5):
        while not (shown := (await house.ask("acme viewer", "GET", "/api/limits")).json()[0]["used"]):
            await asyncio.sleep(0.05)  # until the call is in the database
    assert [use["window"] for use in shown] == ["day"] and shown[0]["used_tokens"] > 0


# --- in force ---------------------------------------------------------------------------------------------------


async def test_a_limit_holds_within_a_second_and_its_end_too(house: House) -> None:
    assert (await house.call()).status == 200
    body = {"requests_per_minute": 1, "where": {"tenant": "acme"}, "name": "slow"}
    begun_s = time.monotonic()
    rule = (await house.ask("root", "POST", "/api/limits", body)).json()["id"]
    refused = await house.until(429)
    assert time.monotonic() - begun_s < 1
    assert "'slow' of 1 requests per minute" in refused.json()["error"]["message"]
    assert int(refused.headers["retry-after"]) > 0 and refused.headers["x-ratelimit-limit-requests"] == "1"
    assert (await house.call("other caller")).status == 200, "others are not bound"
    await house.ask("root", "DELETE", f"/api/limits/{rule}")
    await house.until(200)


async def test_a_budget_holds_within_a_second_and_its_end_too(house: House) -> None:
    rule = (await house.ask("acme editor", "POST", "/api/budgets", {"usd": "0.000000001", "per": ["key"]})).json()
    refused = await house.until(402)
    assert refused.json()["error"]["code"] == "budget_exceeded" and "retry-after" not in refused.headers
    assert (await house.call("other caller")).status == 200
    await house.ask("acme editor", "DELETE", f"/api/budgets/{rule['id']}")
    await house.until(200)


async def test_a_reload_of_the_configuration_keeps_them(house: House) -> None:
    await house.ask("root", "POST", "/api/limits", {"requests_per_minute": 1, "name": "slow"})
    await house.until(429)
    house.gateway.app.lifecycle.reload()  # type: ignore[attr-defined]
    assert (await house.call()).status == 429


async def test_without_its_database_the_gateway_goes_on_with_the_rules_it_knows(house: House) -> None:
    await house.ask("root", "POST", "/api/limits", {"requests_per_minute": 1, "where": {"tenant": "acme"}})
    await house.until(429)
    for file in house.gateway.log_dir.parent.glob("llmops.db*"):
        file.unlink()

    async def problems() -> str:
        return " ".join((await house.gateway.get("/health")).json()["problems"])

    async with asyncio.timeout(5):
        while "limits and budgets cannot be refreshed" not in await problems():
            pass
    assert (await house.call()).status == 429 and (await house.call("other caller")).status == 200
    for method, path, body in (("GET", "/api/limits", None), ("POST", "/api/budgets", {"usd": 1})):
        refused = await house.ask("root", method, path, body)
        assert (refused.status, refused.json()["error"]["code"]) == (503, "store_unavailable")


# --- bad input --------------------------------------------------------------------------------------------------

BAD: list[tuple[str, Any, str]] = [
    ("limits", b"{", "json"),
    ("limits", [], "dictionary"),
    ("limits", {}, "limits nothing: give one of"),
    ("limits", {"requests_per_second": -1}, "requests_per_second"),
    ("limits", {"requests_per_second": 0}, "requests_per_second"),
    ("limits", {"requests_per_second": "NaN"}, "requests_per_second"),
    ("limits", {"requests_per_second": 1e300}, "requests_per_second"),
    ("limits", {"tokens_per_minute": 10**30}, "tokens_per_minute"),
    ("limits", {"concurrent_calls": 0.5}, "concurrent_calls"),
    ("limits", {"concurrent_calls": 1, "per": ["planet"]}, "is none of tenant, key"),
    ("limits", {"concurrent_calls": 1, "per": ["tag:"]}, "is none of tenant, key"),
    ("limits", {"concurrent_calls": 1, "where": {"planet": "x"}}, "where.planet"),
    ("limits", {"concurrent_calls": 1, "where": {"user": "\x00"}}, "where"),
    ("limits", {"concurrent_calls": 1, "where": {"user": "x" * 201}}, "where.user"),
    ("limits", {"concurrent_calls": 1, "name": "<script>"}, "name"),
    ("limits", {"concurrent_calls": 1, "tenant": "acme"}, "tenant"),
    ("budgets", {}, "usd"),
    ("budgets", {"usd": 0}, "usd"),
    ("budgets", {"usd": -5}, "usd"),
    ("budgets", {"usd": "Infinity"}, "usd"),
    ("budgets", {"usd": 1e9}, "usd"),
    ("budgets", {"usd": "0.0000000001"}, "usd"),
    ("budgets", {"usd": 1, "window": "year"}, "window"),
    ("budgets", {"usd": 1, "shadow": True}, "shadow"),
]


async def test_bad_input_is_a_400_that_names_it_and_nothing_is_written(house: House) -> None:
    for kind, body, named in BAD:
        answer = await house.ask("root", "POST", f"/api/{kind}", body)
        assert answer.status == 400, (body, answer)
        error = answer.json()["error"]
        assert named in f"{error['param']} {error['message']}".lower() and len(error["message"]) < 400, error
        assert "Value error" not in error["message"]
    unknown = await house.ask("root", "POST", "/api/limits", {"concurrent_calls": 1, "where": {"tenant": "nobody"}})
    assert unknown.status == 404 and "there is no tenant 'nobody'" in unknown.json()["error"]["message"]
    assert await house.ids("root", "limits") == await house.ids("root", "budgets") == set()
