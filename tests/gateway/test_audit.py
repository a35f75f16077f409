"""Every change over ``/api`` leaves an entry: who, what, why, and no secret; each tenant reads its own."""

from collections.abc import AsyncIterator, Callable
from typing import Any

import pytest

from llmops.opening import open_identity
from llmops.settings import Settings
from tests.fakes.gateway import Gateway, http_request


class House:
    def __init__(self, gateway: Gateway, keys: dict[str, str]) -> None:
        self._gateway = gateway
        self.keys = keys

    async def send(self, method: str, path: str, body: Any = None, holder: str = "admin", status: int = 200) -> Any:
        async with await self._gateway.connect() as connection:
            header = {"Authorization": f"Bearer {self.keys[holder]}"}
            await connection.send(http_request(method, path, body, header))
            answer = await connection.read_answer()
        assert answer.status == status, answer.body
        return answer.json()

    async def trail(self, query: str = "", holder: str = "admin") -> list[Any]:
        found: list[Any] = (await self.send("GET", f"/api/audit?{query}", holder=holder))["entries"]
        return found


@pytest.fixture
async def house(settings: Callable[..., Settings]) -> AsyncIterator[House]:
    built = settings()
    identity = open_identity(built)
    keys = {}
    for tenant in ("acme", "other"):
        identity.registry.create_tenant(tenant)
        for role in ("viewer", "editor"):
            keys[f"{tenant} {role}"] = str(identity.registry.create_key(name=role, tenant=tenant, role=role)[1])
    keys["admin"] = str(identity.registry.create_key(name="ops", role="admin")[1])
    async with Gateway(built) as gateway:
        yield House(gateway, keys)
    identity.close()


async def test_every_change_is_there_with_its_reason_and_no_secret(house: House) -> None:
    key = await house.send("POST", "/api/keys?reason=new+app", {"name": "app", "tenant": "acme"}, status=201)
    turned = await house.send("POST", f"/api/keys/{key['id']}/rotate", {"grace_seconds": 60}, "acme editor")
    for _ in range(2):  # again changes nothing, and is no entry
        await house.send("DELETE", f"/api/keys/{key['id']}?reason=leaked", holder="acme editor")
        await house.send("PATCH", "/api/tenants/other?reason=unpaid", {"disabled": True})
    await house.send("POST", "/api/tenants", {"id": "new"}, status=201)
    limit = await house.send("POST", "/api/limits", {"requests_per_minute": 60}, "acme editor", 201)
    await house.send("DELETE", f"/api/limits/{limit['id']}?reason=too+tight", holder="acme editor")
    await house.send("POST", "/api/budgets", {"usd": 5, "where": {"tenant": "acme"}}, status=201)
    silence = {"matchers": {"rule": "slow"}, "seconds": 60, "reason": "planned"}
    made = await house.send("POST", "/api/silences", silence, "acme editor", 201)
    await house.send("DELETE", f"/api/silences/{made['id']}", holder="acme editor")
    await house.send("DELETE", "/api/cache?model=mock&reason=stale", holder="acme editor")

    found = await house.trail()
    assert [each["action"] for each in reversed(found)] == [
        "key.create", "key.rotate", "key.revoke", "tenant.disable", "tenant.create", "limit.add", "limit.remove",
        "budget.add", "silence.add", "silence.end", "cache.clear",
    ]  # fmt: skip
    by_action = {each["action"]: each for each in found}
    revoked = by_action["key.revoke"]
    assert (revoked["object"], revoked["tenant"], revoked["reason"]) == (key["id"], "acme", "leaked")
    assert revoked["before"] == {"name": "app", "state": "active"} and revoked["after"]["state"] == "revoked"
    assert revoked["actor"]["name"] == "editor" and revoked["actor"]["role"] == "editor"
    assert by_action["key.create"]["actor"]["name"] == "ops" and by_action["key.create"]["reason"] == "new app"
    assert by_action["tenant.disable"]["before"] == {"disabled": False}
    assert by_action["limit.remove"]["before"]["requests_per_minute"] == 60
    assert by_action["silence.add"]["reason"] == "planned" and by_action["cache.clear"]["after"]["gone"] == 0
    for secret in (key["key"], turned["key"]):
        assert secret not in str(found) and secret.rpartition("-")[2] not in str(found)


async def test_a_refused_change_is_no_entry(house: House) -> None:
    await house.send("POST", "/api/keys", {"name": "x"}, "acme viewer", 403)
    await house.send("POST", "/api/keys", {"name": "x", "tenant": "nobody"}, "admin", 404)
    await house.send("DELETE", "/api/limits/000000000000", holder="admin", status=404)
    assert await house.trail() == []


async def test_a_tenant_reads_its_own_trail_alone(house: House) -> None:
    await house.send("POST", "/api/keys", {"name": "theirs", "tenant": "other"}, status=201)
    await house.send("POST", "/api/limits", {"requests_per_minute": 9}, status=201)
    await house.send("POST", "/api/keys", {"name": "ours"}, "acme editor", 201)
    (own,) = await house.trail(holder="acme viewer")
    assert own["after"]["name"] == "ours"
    (other,) = await house.trail(holder="other viewer")
    assert other["actor"] == {"name": "an administrator", "role": "admin", "key_id": None, "tenant": None}
    await house.send("GET", "/api/audit?tenant=other", holder="acme viewer", status=403)
    assert len(await house.trail("tenant=other")) == 1 and len(await house.trail("action=key.*")) == 2


async def test_it_goes_on_from_page_to_page(house: House) -> None:
    for number in range(5):
        await house.send("POST", "/api/tenants", {"id": f"t{number}"}, status=201)
    first = await house.send("GET", "/api/audit?limit=3")
    rest = await house.send("GET", f"/api/audit?limit=3&before={first['next']}")
    assert [each["object"] for each in first["entries"] + rest["entries"]] == ["t4", "t3", "t2", "t1", "t0"]
    assert rest["next"] is None
    await house.send("GET", "/api/audit?limit=0", status=400)
