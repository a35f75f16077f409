"""``/api/scores`` of a running gateway: an application judges with the key it calls with; nobody sees another's."""

import json
from collections.abc import AsyncIterator, Callable
from typing import Any

import pytest

from llmops.opening import open_identity
from llmops.settings import Settings
from tests.fakes.gateway import Answer, Gateway

TRACE, SPAN = "ab" * 16, "cd" * 8


class House:
    def __init__(self, gateway: Gateway, keys: dict[str, str]) -> None:
        self.gateway = gateway
        self._keys = keys

    def _headers(self, holder: str) -> dict[str, str]:
        return {"Authorization": f"Bearer {self._keys[holder]}"} if holder else {}

    async def score(self, holder: str = "acme caller", **fields: Any) -> Answer:
        given = {"trace_id": TRACE, "name": "helpful", "value": True, **fields}
        body = {name: value for name, value in given.items() if value is not None}
        return await self.gateway.post("/api/scores", body, self._headers(holder))

    async def scores(self, query: str = "", holder: str = "acme viewer") -> Any:
        found = await self.gateway.get(f"/api/scores?{query}", self._headers(holder))
        return found.json()["scores"] if found.status == 200 else found.status


@pytest.fixture
async def house(settings: Callable[..., Settings]) -> AsyncIterator[House]:
    built = settings()
    identity = open_identity(built)
    keys = {}
    for tenant in ("acme", "other"):
        identity.registry.create_tenant(tenant)
        for role in ("caller", "viewer"):
            keys[f"{tenant} {role}"] = str(identity.registry.create_key(name=role, tenant=tenant, role=role)[1])
    keys["admin"] = str(identity.registry.create_key(name="admin", tenant="acme", role="admin")[1])
    async with Gateway(built) as gateway:
        yield House(gateway, keys)
    identity.close()


async def test_an_application_judges_with_the_key_that_it_calls_with(house: House) -> None:
    first = await house.score(id="t-1", comment="<img src=x onerror=alert(1)>")
    assert first.status == 201 and first.json()["tenant"] == "acme" and first.json()["value"] is True
    assert (await house.score(id="t-1", value=False)).status == 201
    assert (await house.score(span_id=SPAN, value=0.5)).json()["target"] == "span"
    assert (await house.score(trace_id=None, session="s-1", value=None, label="calm")).json()["target"] == "session"
    assert [each["value"] for each in await house.scores(f"trace_id={TRACE}&limit=10")].count(False) == 1
    assert len(await house.scores()) == 3 and len(await house.scores("session=s-1")) == 1


async def test_another_tenants_scores_are_not_there(house: House) -> None:
    await house.score()
    await house.score("other caller", id="same")
    await house.score(id="same")
    assert [each["tenant"] for each in await house.scores(holder="other viewer")] == ["other"]
    assert await house.scores("tenant=acme", "other viewer") == 403
    assert (await house.score("other caller", tenant="acme")).status == 403
    assert await house.scores(holder="acme caller") == 403, "to read takes a viewer"
    assert await house.scores(holder="") == 401
    assert (await house.score("")).status == 401
    assert (await house.score("admin", tenant="other")).json()["tenant"] == "other"
    assert len(await house.scores(holder="admin")) == 4


async def test_many_at_once_are_all_stored_or_none(house: House) -> None:
    one = {"trace_id": TRACE, "name": "helpful", "value": 1}
    headers = house._headers("acme caller")
    listed = await house.gateway.post("/api/scores", [one, {**one, "value": 2}], headers)  # type: ignore[arg-type]
    assert listed.status == 201 and [each["value"] for each in listed.json()] == [1, 2]
    bad = await house.gateway.post("/api/scores", [one, {**one, "trace_id": "x"}], headers)  # type: ignore[arg-type]
    assert bad.status == 400 and len(await house.scores()) == 2
    many = await house.gateway.post("/api/scores", [one] * 501, headers)  # type: ignore[arg-type]
    assert many.status == 400 and "1 to 500" in many.json()["error"]["message"]


@pytest.mark.parametrize(
    "fields",
    [
        {"value": "5"},
        {"value": "NaN"},
        {"value": [1]},
        {"name": 7},
        {"unknown": 1},
        {"source": "ghost"},
        {"comment": "x" * 10_001},
        {"trace_id": "z" * 32},
        {"trace_id": ["a"]},
    ],
)
async def test_what_is_no_score_is_refused(house: House, fields: dict[str, Any]) -> None:
    assert (await house.score(**fields)).status == 400
    assert await house.scores() == []


async def test_pages_and_figures(house: House) -> None:
    for number in range(7):
        await house.score(value=number)
    headers = house._headers("acme viewer")
    seen, cursor = [], ""
    while True:
        page = (await house.gateway.get(f"/api/scores?limit=3{cursor}", headers)).json()
        seen += page["scores"]
        if page["next"] is None:
            break
        cursor = f"&cursor={page['next']}"
    assert len({each["id"] for each in seen}) == 7
    assert (await house.gateway.get("/api/scores?cursor=x", headers)).status == 400
    figures = (await house.gateway.get("/api/scores/figures", headers)).json()
    assert figures == [{"name": "helpful", "count": 7, "mean": 3.0}]
    assert json.dumps(seen)


async def test_exports_are_for_administrators(house: House) -> None:
    assert (await house.gateway.get("/api/exports", house._headers("acme viewer"))).status == 403
    assert (await house.gateway.get("/api/exports", house._headers("admin"))).json() == []
