"""Traces over HTTP: a call is a trace at once, its steps come from real timings, and nobody sees another tenant's."""

import asyncio
import json
from collections.abc import AsyncIterator, Callable
from typing import Any

import pytest

from llmops.opening import open_identity
from llmops.settings import Settings
from llmops.store.database import Database
from llmops.telemetry.traces.repository.texts import TextIndex
from tests.fakes.gateway import CHAT, Answer, Gateway
from tests.telemetry.traces.shelf import Shelf, a_span

Build = Callable[..., Settings]
TRACE = "4bf92f3577b34da6a3ce929d0e0e4736"
SECRET = "the zebra of jane@example.org"


class House:
    """A gateway that ``acme`` and ``other`` have called in one trace, which ``acme`` began."""

    def __init__(self, gateway: Gateway, keys: dict[str, str]) -> None:
        self.gateway = gateway
        self._keys = keys

    async def call(self, holder: str, body: Any = CHAT, **headers: str) -> Answer:
        given = {"Authorization": f"Bearer {self._keys[holder]}", **headers}
        return await self.gateway.post("/v1/chat/completions", body, given)

    async def get(self, path: str, holder: str = "admin") -> Answer:
        return await self.gateway.get(path, {"Authorization": f"Bearer {self._keys[holder]}"})

    async def until(self, calls: int) -> None:
        async with asyncio.timeout(10):
            while len((await self.get("/api/traces?limit=100")).json()["items"]) < calls:
                await asyncio.sleep(0.02)


@pytest.fixture
async def house(settings: Build) -> AsyncIterator[House]:
    capture = {"tenants": {"acme": {"share": 1}}}
    built = settings(cache={"enabled": True}, traces={"capture": capture}, resilience={})
    identity = open_identity(built)
    keys = {}
    for tenant in ("acme", "other"):
        identity.registry.create_tenant(tenant)
        for role in ("caller", "viewer"):
            keys[f"{tenant} {role}"] = str(identity.registry.create_key(name=role, tenant=tenant, role=role)[1])
    keys["admin"] = str(identity.registry.create_key(name="admin", tenant="acme", role="admin")[1])
    async with Gateway(built) as gateway:
        house = House(gateway, keys)
        context = {"traceparent": f"00-{TRACE}-00f067aa0ba902b7-01"}
        said = {"model": "mock", "messages": [{"role": "user", "content": SECRET}]}
        session = {"x-llmops-session": "s-1", "x-llmops-user": "alice"}
        assert (await house.call("acme caller", said, **context, **session)).status == 200
        assert (await house.call("other caller", **context, **{"x-llmops-session": "s-2"})).status == 200
        assert (await house.call("other caller", {**CHAT, "model": "none such"})).status == 404
        await house.until(3)
        yield house
    identity.close()


async def test_a_call_is_a_trace_with_all_its_steps(house: House) -> None:
    answer = await house.get(f"/api/traces/{TRACE}", "acme viewer")
    assert answer.status == 200, answer
    view = answer.json()
    assert view["tenants"] == ["acme"] and view["session"] == "s-1" and view["user"] == "alice"
    names = [span["name"] for span in view["page"]]
    assert names == ["chat mock", "auth", "limits", "cache", "attempt mock/default"]
    root = view["page"][0]
    assert root["parent_id"] == "00f067aa0ba902b7" and root["flaw"] == "orphan"
    assert root["attributes"]["gen_ai.request.model"] == "mock"
    end = root["offset_us"] + root["duration_us"]
    for span in view["page"][1:]:
        assert span["depth"] == 1 and 0 <= span["offset_us"] and span["offset_us"] + span["duration_us"] <= end + 1
    assert view["usd"] is not None and "[email]" in root["text"] and "jane" not in root["text"]


async def test_what_was_said_comes_back_by_who_said_it(house: House) -> None:
    root = (await house.get(f"/api/traces/{TRACE}", "acme viewer")).json()["page"][0]
    asked, answered = root["messages"]
    assert asked == {"role": "user", "text": "the zebra of [email]"}
    assert answered["role"] == "assistant" and root["text"] == f"{asked['text']}\n{answered['text']}"
    both = (await house.get(f"/api/traces/{TRACE}")).json()["page"]
    assert [each["messages"] for each in both if each["tenant"] == "other"] == [[]] * 5, "nobody asked to keep it"


async def test_a_page_of_spans_begins_anywhere_and_may_be_one_span(house: House) -> None:
    path = f"/api/traces/{TRACE}/spans"
    every = (await house.get(path, "acme viewer")).json()["items"]
    third = (await house.get(f"{path}?first=2&limit=2", "acme viewer")).json()
    assert third["items"] == every[2:4] and third["first"] == 2 and third["cursor"]
    rest = (await house.get(f"{path}?cursor={third['cursor']}", "acme viewer")).json()
    assert rest["items"] == every[4:] and rest["first"] == 4 and rest["cursor"] is None
    alone = (await house.get(f"{path}?span={every[3]['span_id']}", "acme viewer")).json()
    assert alone["items"] == [every[3]] and alone["first"] == 3
    beyond = (await house.get(f"{path}?first=900", "acme viewer")).json()
    assert beyond["items"] == [] and beyond["cursor"] is None
    others = {each["span_id"] for each in (await house.get(path)).json()["items"]} - {each["span_id"] for each in every}
    for span_id in (*sorted(others), "none-such"):
        assert (await house.get(f"{path}?span={span_id}", "acme viewer")).json()["items"] == []


async def test_the_log_says_how_long_each_step_took_and_which_session_it_was(house: House) -> None:
    log = (house.gateway.log_dir / "gateway.jsonl").read_text()
    first, second, third = [json.loads(line) for line in log.splitlines()][:3]
    assert set(first["timings_ms"]) == {"read", "auth", "limits", "cache", "upstream"}
    assert sum(first["timings_ms"].values()) <= first["latency_ms"] + 0.01
    assert (first["session"], second["session"], third["session"]) == ("s-1", "s-2", None)
    assert set(third["timings_ms"]) == {"read", "auth"}
    assert first["messages_masked"][0]["content"] == "the zebra of [email]" and first["output"]
    assert "content" not in second["messages_masked"][0] and "output" not in second, "nobody asked to keep it"


async def test_nobody_sees_another_tenants_on_any_route(house: House) -> None:
    """Every route, and every filter that could name somebody else."""
    mine = (await house.get("/api/traces", "acme viewer")).json()["items"]
    assert [item["tenant"] for item in mine] == ["acme"]
    for query in ("tenant=other", "session=s-2", "model=none", "state=error", "order=slowest&tenant=other"):
        assert (await house.get(f"/api/traces?{query}", "acme viewer")).json()["items"] == [], query
    for order in ("newest", "slowest", "dearest"):
        items = (await house.get(f"/api/traces?order={order}", "acme viewer")).json()["items"]
        assert {item["tenant"] for item in items} == {"acme"}
    both = (await house.get(f"/api/traces/{TRACE}")).json()
    assert both["tenants"] == ["acme", "other"]
    for path in (f"/api/traces/{TRACE}", f"/api/traces/{TRACE}/spans"):
        shown = (await house.get(path, "acme viewer")).json()
        assert {span["tenant"] for span in shown.get("page") or shown["items"]} == {"acme"}
        assert (await house.get(f"{path}?tenant=other", "acme viewer")).status == 404
        assert (await house.get(f"{path}?tenant=nobody")).status == 404
    others = (await house.get("/api/traces?state=error", "other viewer")).json()["items"][0]["trace_id"]
    assert (await house.get(f"/api/traces/{others}", "acme viewer")).status == 404
    assert (await house.get(f"/api/traces/{others}/spans", "acme viewer")).status == 404
    sessions = (await house.get("/api/sessions", "acme viewer")).json()["items"]
    assert [session["session"] for session in sessions] == ["s-1"]
    assert (await house.get("/api/sessions?tenant=other", "acme viewer")).json()["items"] == []
    assert {s["session"] for s in (await house.get("/api/sessions")).json()["items"]} == {"s-1", "s-2"}
    assert (await house.get("/api/steps?tenant=other", "acme viewer")).json()["items"] == []
    mine_steps = {
        step["name"]: step["count"] for step in (await house.get("/api/steps", "acme viewer")).json()["items"]
    }
    assert mine_steps["auth"] == 1 and mine_steps["upstream"] == 1
    for path in ("/api/traces", f"/api/traces/{TRACE}", f"/api/traces/{TRACE}/spans", "/api/sessions", "/api/steps"):
        assert (await house.get(path, "acme caller")).status == 403
        assert (await house.gateway.get(path)).status == 401


async def test_captured_words_are_found_by_their_tenant_alone(house: House) -> None:
    database = Database(f"sqlite:///{house.gateway.log_dir.parent / 'llmops.db'}")
    await asyncio.to_thread(TextIndex(database).index_some, 100)
    database.close()
    found = {holder: (await house.get("/api/traces?text=zebra", holder)).json()["items"] for holder in
             ("acme viewer", "other viewer", "admin")}  # fmt: skip
    assert [len(items) for items in found.values()] == [1, 0, 1]
    assert (await house.get("/api/traces?text=jane")).json()["items"] == [], "redacted before it was written"


async def test_spans_that_came_in_are_part_of_the_tree_and_pages_go_on(house: House) -> None:
    database = Database(f"sqlite:///{house.gateway.log_dir.parent / 'llmops.db'}")
    hostile = {"x": float("inf"), "<img src=x>": "\u202e"}
    mine = [a_span(n, parent=n - 1 if n > 1 else None, attributes=hostile) for n in range(1, 31)]
    await asyncio.to_thread(Shelf(database).spans, *mine)
    database.close()
    trace = mine[0].trace_id
    first = (await house.get(f"/api/traces/{trace}?limit=20", "acme viewer")).json()
    assert len(first["page"]) == 20 and first["spans"] == 30 and first["page"][0]["attributes"]["x"] is None
    rest = (await house.get(f"/api/traces/{trace}/spans?limit=20&cursor={first['cursor']}", "acme viewer")).json()
    assert [span["depth"] for span in rest["items"]] == list(range(20, 30)) and rest["cursor"] is None


@pytest.mark.parametrize(
    ("path", "status"),
    [
        ("/api/traces?from=yesterday", 400),
        ("/api/traces?cursor=x", 400),
        ("/api/traces?state=fine", 400),
        ("/api/traces?limit=0", 400),
        ("/api/traces?user=%00", 200),
        ("/api/sessions?cursor=%ff", 400),
        ("/api/traces/nothing", 404),
        ("/api/traces/%00", 404),
        (f"/api/traces/{'a' * 32}", 404),
        (f"/api/traces/{TRACE.upper()}", 200),
        ("/api/traces/..%2f..%2fetc%2fpasswd", 404),
    ],
)
async def test_odd_questions_get_plain_answers(house: House, path: str, status: int) -> None:
    assert (await house.get(path)).status == status


@pytest.mark.parametrize("session", ["", "a" * 257, "\xff"])
async def test_a_session_that_is_none_is_refused(house: House, session: str) -> None:
    answer = await house.call("acme caller", **{"x-llmops-session": session})
    assert answer.status == 400 and "x-llmops-session" in answer.body.decode()
