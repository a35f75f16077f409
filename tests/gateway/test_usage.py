"""``/api/usage`` of a running gateway: what was called is there soon, and nobody sees another tenant's."""

import asyncio
import csv
import io
from collections.abc import AsyncIterator, Callable
from typing import Any
from urllib.parse import quote

import pytest

from llmops.opening import open_identity
from llmops.settings import Settings
from tests.fakes.gateway import CHAT, Answer, Gateway

Build = Callable[..., Settings]


class House:
    """A gateway that ``acme`` and ``other`` have called, with two feature tags."""

    def __init__(self, gateway: Gateway, keys: dict[str, str]) -> None:
        self.gateway = gateway
        self._keys = keys

    async def call(self, holder: str, **headers: str) -> Answer:
        given = {"Authorization": f"Bearer {self._keys[holder]}", **headers}
        return await self.gateway.post("/v1/chat/completions", CHAT, given)

    async def usage(self, query: str = "", holder: str = "admin") -> Answer:
        return await self.gateway.get(f"/api/usage?{query}", {"Authorization": f"Bearer {self._keys[holder]}"})

    async def until(self, calls: int) -> None:
        async with asyncio.timeout(10):
            while (await self.usage()).json()["totals"]["calls"] < calls:
                await asyncio.sleep(0.02)


@pytest.fixture
async def house(settings: Build) -> AsyncIterator[House]:
    built = settings()
    identity = open_identity(built)
    keys = {}
    for tenant in ("acme", "other"):
        identity.registry.create_tenant(tenant)
        for role in ("caller", "viewer"):
            keys[f"{tenant} {role}"] = str(identity.registry.create_key(name=role, tenant=tenant, role=role)[1])
    keys["admin"] = str(identity.registry.create_key(name="admin", tenant="acme", role="admin")[1])
    async with Gateway(built) as gateway:
        house = House(gateway, keys)
        for holder, tags in (
            ("acme caller", "feature=search"),
            ("acme caller", "feature=chat"),
            ("other caller", "a=b"),
        ):
            assert (await house.call(holder, **{"x-llmops-tags": tags, "x-llmops-user": "=1+1"})).status == 200
        await house.until(3)
        yield house
    identity.close()


async def test_an_administrator_sees_all_and_a_viewer_its_own(house: House) -> None:
    def calls(answer: Answer) -> dict[str, int]:
        assert answer.status == 200, answer
        return {row["tenant"]: row["calls"] for row in answer.json()["rows"]}

    assert calls(await house.usage("by=tenant")) == {"acme": 2, "other": 1}
    assert calls(await house.usage("by=tenant", "acme viewer")) == {"acme": 2}
    assert calls(await house.usage("by=tenant", "other viewer")) == {"other": 1}
    assert calls(await house.usage("by=tenant&tenant=other", "acme viewer")) == {}
    assert calls(await house.usage("by=tenant&tenant=other")) == {"other": 1}


async def test_the_answer_is_exact_and_complete(house: House) -> None:
    answer: dict[str, Any] = (await house.usage("by=tag:feature,model&tenant=acme")).json()
    assert {row["tag:feature"] for row in answer["rows"]} == {"search", "chat"}
    assert answer["totals"]["calls"] == 2 and answer["left_out"] == 0
    assert answer["totals"]["tokens"] == sum(row["tokens"] for row in answer["rows"]) > 0
    assert isinstance(answer["totals"]["usd"], str) and isinstance(answer["totals"]["nanousd"], int)
    assert answer["totals"]["nanousd"] == sum(row["nanousd"] for row in answer["rows"])
    one = (await house.usage("by=tag:feature&tenant=acme&limit=1")).json()
    assert len(one["rows"]) == 1 and one["left_out"] == 1 and one["totals"] == answer["totals"]


async def test_filters_and_days(house: House) -> None:
    for query, calls in (
        ("tag=feature=search", 1),
        ("tag=feature=search&tag=a=b", 0),
        (f"user={quote('=1+1')}", 3),
        ("model=mock", 3),
        ("model=nothing", 0),
        ("from=2000-01-01&to=2000-12-31", 0),
        ("from=2000-01-01", 3),
    ):
        assert (await house.usage(query)).json()["totals"]["calls"] == calls, query


async def test_csv_is_safe_for_spreadsheets(house: House) -> None:
    answer = await house.usage("by=user,tenant&format=csv")
    assert (
        answer.headers["content-type"].startswith("text/csv") and "attachment" in answer.headers["content-disposition"]
    )
    rows = list(csv.DictReader(io.StringIO(answer.body.decode(), newline="")))
    assert {(row["user"], row["tenant"], row["calls"]) for row in rows} == {
        ("'=1+1", "acme", "2"),
        ("'=1+1", "other", "1"),
    }


@pytest.mark.parametrize(
    ("query", "param"),
    [
        ("by=sex", "by"),
        ("by=tenant,tenant", "by"),
        ("from=yesterday", "from"),
        ("to=2026-13-01", "to"),
        ("tag=feature", "tag"),
        ("format=xml", "format"),
        ("limit=0", "limit"),
        ("limit=-1", "limit"),
        (f"user={'u' * 300}", "user"),
    ],
)
async def test_what_cannot_be_asked_is_a_400_that_names_it(query: str, param: str, house: House) -> None:
    answer = await house.usage(query)
    assert (answer.status, answer.json()["error"]["param"]) == (400, param)


async def test_strange_text_finds_nothing_and_breaks_nothing(house: House) -> None:
    for text in ("%00", "'%20OR%201=1--", "%F0%9F%A6%9C", "%ff"):
        assert (await house.usage(f"tenant={text}&user={text}&tag={text}=x")).json()["totals"]["calls"] == 0, text


async def test_requests_of_nobody_are_nobodys_usage(house: House) -> None:
    await house.gateway.post("/v1/chat/completions", b"{", {})
    await house.gateway.post("/v1/chat/completions", CHAT, {"Authorization": "Bearer sk-garbage"})
    assert (await house.call("acme caller")).status == 200
    await house.until(4)
    assert (await house.usage("by=tenant")).json()["totals"]["calls"] == 4
