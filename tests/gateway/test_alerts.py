"""Alerts of a running gateway: from failing calls to a webhook, and who sees and silences what over HTTP."""

import asyncio
from collections.abc import AsyncIterator, Callable
from typing import Any

import pytest

from llmops.opening import open_identity
from llmops.settings import Settings
from tests.fakes.gateway import CHAT, USER, Answer, Gateway, http_request
from tests.monitoring.alerts.stand import HttpReceiver

Build = Callable[..., Settings]
RULES = [
    {"name": "house", "kind": "success_rate", "threshold": 0.9, "min_events": 3},
    {"name": "theirs", "kind": "success_rate", "threshold": 0.9, "min_events": 3, "per": "tenant",
     "notify": ["house", "acme", "other"]},
]  # fmt: skip


class House:
    """A gateway whose model fails for whoever calls it, with receivers of the house and of two tenants."""

    def __init__(self, gateway: Gateway, keys: dict[str, str], receivers: dict[str, HttpReceiver]) -> None:
        self.gateway = gateway
        self.receivers = receivers
        self._keys = keys

    def header(self, holder: str) -> dict[str, str]:
        return {"Authorization": f"Bearer {self._keys[holder]}"}

    async def fail(self, holder: str, times: int) -> None:
        for _ in range(times):
            asked = {"model": "bad", "messages": USER}
            assert (await self.gateway.post("/v1/chat/completions", asked, self.header(holder))).status >= 500

    async def get(self, path: str, holder: str = "admin") -> Any:
        answer = await self.gateway.get(path, self.header(holder))
        assert answer.status == 200, answer.body
        return answer.json()

    async def send(self, method: str, path: str, body: Any, holder: str) -> Answer:
        async with await self.gateway.connect() as connection:
            await connection.send(http_request(method, path, body, self.header(holder)))
            return await connection.read_answer()

    async def until(self, condition: Callable[[], Any]) -> None:
        async with asyncio.timeout(20):
            while not condition():
                await asyncio.sleep(0.02)


@pytest.fixture
async def house(settings: Build) -> AsyncIterator[House]:
    async with HttpReceiver() as mine, HttpReceiver() as acme, HttpReceiver() as other:
        receivers = {"house": mine, "acme": acme, "other": other}
        hooks = [
            {"name": name, "kind": "webhook", "url": each.url, "tenant": None if name == "house" else name}
            for name, each in receivers.items()
        ]
        built = settings(
            {"bad": [{"provider": "mock", "mock": {"error_rate": 1.0}}]},
            alerts={"interval_seconds": 0.1, "receivers": hooks, "rules": RULES},
        )
        identity = open_identity(built)
        keys = {}
        for tenant in ("acme", "other"):
            identity.registry.create_tenant(tenant)
            for role in ("caller", "viewer", "editor"):
                keys[f"{tenant} {role}"] = str(identity.registry.create_key(name=role, tenant=tenant, role=role)[1])
        keys["admin"] = str(identity.registry.create_key(name="admin", tenant="acme", role="admin")[1])
        async with Gateway(built) as gateway:
            yield House(gateway, keys, receivers)
        identity.close()


async def test_from_failing_calls_to_whom_they_concern(house: House) -> None:
    await house.fail("acme caller", 4)
    await house.until(lambda: house.receivers["acme"].requests and len(house.receivers["house"].requests) >= 1)
    async with asyncio.timeout(20):
        while len(await house.get("/api/alerts")) < 2:
            await asyncio.sleep(0.02)
    assert {each["rule"] for each in await house.get("/api/alerts")} == {"house", "theirs"}
    (own,) = await house.get("/api/alerts?state=firing", "acme viewer")
    assert (own["rule"], own["labels"], own["announced_to"]) == ("theirs", {"tenant": "acme"}, ["acme"])
    for path in ("/api/alerts", "/api/alerts/history"):
        assert await house.get(path, "other viewer") == []
    assert [each["name"] for each in await house.get("/api/alerts/receivers", "other viewer")] == ["other"]
    assert house.receivers["other"].requests == []
    assert "s3cret" not in str(await house.get("/api/alerts/receivers")) + str(await house.get("/api/config"))
    told = house.receivers["acme"].bodies
    assert [alert["labels"]["alertname"] for body in told for alert in body["alerts"]] == ["theirs"]


async def test_a_tenants_silence_keeps_the_house_informed(house: House) -> None:
    wanted = {"matchers": {"rule": "*"}, "seconds": 3600, "reason": "we know"}
    assert (await house.send("POST", "/api/silences", wanted, "acme viewer")).status == 403
    made = await house.send("POST", "/api/silences", wanted, "acme editor")
    assert made.status == 201 and made.json()["tenant"] == "acme"
    await house.fail("acme caller", 4)
    await house.until(lambda: house.receivers["house"].requests)
    async with asyncio.timeout(20):
        while not await house.get("/api/alerts", "acme viewer"):
            await asyncio.sleep(0.02)
    assert house.receivers["acme"].requests == []
    path = f"/api/silences/{made.json()['id']}"
    assert await house.get("/api/silences", "other viewer") == []
    assert (await house.send("DELETE", path, None, "other editor")).status == 404
    assert (await house.send("DELETE", path, None, "acme editor")).json()["active"] is False
    await house.until(lambda: house.receivers["acme"].requests)
    assert (await house.send("DELETE", path, None, "acme editor")).status == 404
    assert len(await house.get("/api/silences?past=true", "acme viewer")) == 1


async def test_what_makes_no_silence(house: House) -> None:
    for change in ({"matchers": {}}, {"seconds": 0}, {"reason": " "}, {"matchers": {"rule": ""}}, {"until": 5}):
        wanted = {"matchers": {"rule": "x"}, "seconds": 60, "reason": "r", **change}
        assert (await house.send("POST", "/api/silences", wanted, "admin")).status == 400, change


async def test_deliveries_that_fail_degrade_the_health(house: House) -> None:
    house.receivers["house"].statuses = [503]
    await house.fail("acme caller", 4)
    async with asyncio.timeout(20):
        while not (problems := (await house.get("/health"))["problems"]):
            await asyncio.sleep(0.02)
    assert "to the receiver 'house' cannot be delivered yet: answered with status 503" in problems[0]
    assert (await house.gateway.post("/v1/chat/completions", CHAT, house.header("acme caller"))).status == 200
