"""``/api/cache`` of a running gateway: who sees and lets go of what, and that it is gone. In-process and in Redis."""

from collections.abc import AsyncIterator, Callable
from typing import Any
from urllib.parse import urlencode
from uuid import uuid4

import pytest

from llmops.opening import open_identity
from llmops.settings import Settings
from tests.fakes.gateway import CHAT, Answer, Gateway, http_request
from tests.store.redis_server import RedisServer


class House:
    """A gateway with a cache, and callers of two tenants."""

    def __init__(self, gateway: Gateway, keys: dict[str, str]) -> None:
        self.gateway = gateway
        self.keys = keys

    async def ask(self, holder: str, method: str, path: str, body: Any = None, **headers: str) -> Answer:
        headers |= {"Authorization": f"Bearer {self.keys[holder]}"}
        async with await self.gateway.connect() as connection:
            await connection.send(http_request(method, path, body, headers))
            return await connection.read_answer()

    async def call(self, holder: str, tags: str = "a=1") -> str:
        """What the cache did for a call."""
        fields = {"x-llmops-tags": tags}
        answer = await self.ask(holder, "POST", "/v1/chat/completions", CHAT, **fields)
        assert answer.status == 200, answer
        return answer.headers["x-llmops-cache"].partition(";")[0]

    async def warm(self) -> None:
        for holder in ("acme caller", "other caller"):
            while await self.call(holder) != "hit":  # what was put in Redis is there soon
                pass

    async def clear(self, holder: str, **named: str) -> Answer:
        return await self.ask(holder, "DELETE", f"/api/cache?{urlencode(named)}")


@pytest.fixture(params=["in-process", "redis"])
async def house(request: pytest.FixtureRequest, settings: Callable[..., Settings]) -> AsyncIterator[House]:
    sections: dict[str, Any] = {"cache": {"enabled": True}}
    if request.param == "redis":
        server: RedisServer = request.getfixturevalue("redis_always")
        sections["redis"] = {"url": server.url, "namespace": uuid4().hex, "command_timeout_seconds": 5}
    built = settings(**sections)
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


async def test_tenants_never_share_an_answer_and_clear_their_own(house: House) -> None:
    assert [await house.call(holder) for holder in ("acme caller", "other caller")] == ["miss", "miss"]
    await house.warm()
    answer = await house.clear("acme editor", all="true")
    assert (answer.status, answer.json()["selector"]) == (200, {"tenant": "acme"})
    assert answer.json()["gone"] in (1, None)
    assert [await house.call(holder) for holder in ("acme caller", "other caller")] == ["miss", "hit"]


@pytest.mark.parametrize(
    ("named", "states"),
    [
        ({"all": "true"}, ["miss", "miss"]),
        ({"tenant": "other"}, ["hit", "miss"]),
        ({"model": "mock"}, ["miss", "miss"]),
        ({"model": "mo"}, ["hit", "hit"]),
        ({"tag": "a=1"}, ["miss", "miss"]),
        ({"tag": "a", "tenant": "acme"}, ["miss", "hit"]),
        ({"tag": "a=2"}, ["hit", "hit"]),
        ({"release": "r"}, ["hit", "hit"]),
        ({"knowledge": "handbook"}, ["hit", "hit"]),
    ],
)
async def test_an_administrator_clears_what_it_names(named: dict[str, str], states: list[str], house: House) -> None:
    await house.warm()
    answer = await house.clear("root", **named)
    assert answer.status == 200
    assert answer.json()["selector"] == {name: value for name, value in named.items() if name != "all"}
    assert [await house.call(holder) for holder in ("acme caller", "other caller")] == states


@pytest.mark.parametrize(
    ("holder", "named", "status", "param"),
    [
        ("root", {}, 400, "all"),
        ("acme editor", {}, 400, "all"),
        ("root", {"all": "true", "model": "mock"}, 400, "all"),
        ("root", {"tenant": ""}, 400, "tenant"),
        ("root", {"tag": "x" * 401}, 400, "tag"),
        ("acme editor", {"tenant": "other"}, 403, "tenant"),
        ("acme viewer", {"all": "true"}, 403, None),
        ("acme caller", {"all": "true"}, 403, None),
    ],
)
async def test_a_slip_or_a_stranger_clears_nothing(
    holder: str, named: dict[str, str], status: int, param: str | None, house: House
) -> None:
    await house.warm()
    answer = await house.clear(holder, **named)
    assert (answer.status, answer.json()["error"]["param"]) == (status, param)
    assert [await house.call(holder) for holder in ("acme caller", "other caller")] == ["hit", "hit"]


async def test_what_is_shown(house: House) -> None:
    await house.warm()
    shown = (await house.ask("acme viewer", "GET", "/api/cache")).json()
    assert shown["kind"] in ("process", "redis") and shown["lost"] is None
    assert (shown["unreadable"], shown["too_large"], shown["under_way"]) == (0, 0, 0)
    assert (shown["kind"] == "process") == (shown["entries"] == 2)
    assert (await house.ask("acme caller", "GET", "/api/cache")).status == 403


async def test_who_cleared_what_is_in_the_operators_log(house: House, caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level("INFO", "llmops")
    await house.clear("root", model="mock")
    (line,) = [each.getMessage() for each in caplog.records if "let go of" in each.getMessage()]
    assert "{'model': 'mock'}" in line and house.keys["root"] not in line
