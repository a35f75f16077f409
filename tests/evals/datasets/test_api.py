"""Datasets and review over HTTP: a tenant's own, pages, labels by role, a reviewer's way through a queue."""

from collections.abc import AsyncIterator, Callable
from typing import Any

import pytest

from llmops.opening import open_identity
from llmops.settings import Settings
from tests.fakes.gateway import Gateway, http_request

CASES = [{"id": f"c{n}", "input": f"<b>{n}</b>", "reference": str(n)} for n in range(5)]


class House:
    def __init__(self, gateway: Gateway, keys: dict[str, str]) -> None:
        self.gateway, self.keys = gateway, keys

    async def ask(self, holder: str, method: str, path: str, body: Any = None) -> tuple[int, Any]:
        headers = {"Authorization": f"Bearer {self.keys[holder]}"}
        async with await self.gateway.connect() as connection:
            await connection.send(http_request(method, f"/api/{path}", body, headers))
            answer = await connection.read_answer()
        return answer.status, answer.json()


@pytest.fixture
async def house(settings: Callable[..., Settings]) -> AsyncIterator[House]:
    built = settings()
    identity = open_identity(built)
    keys = {}
    for tenant in ("acme", "other"):
        identity.registry.create_tenant(tenant)
        for role in ("viewer", "editor", "admin"):
            keys[f"{tenant} {role}"] = str(identity.registry.create_key(name=role, tenant=tenant, role=role)[1])
    async with Gateway(built) as gateway:
        yield House(gateway, keys)
    identity.close()


async def test_versions_pages_and_differences(house: House) -> None:
    status, first = await house.ask("acme editor", "POST", "datasets", {"name": "qa", "cases": CASES})
    assert status == 201 and first["cases"] == 5 and first["tenant"] == "acme"
    more = {"name": "qa", "cases": [{"id": "c1", "input": "new"}], "mode": "merge", "parent": first["version"]}
    status, second = await house.ask("acme editor", "POST", "datasets", more)
    assert status == 201 and second["cases"] == 5 and second["parent"] == first["version"]
    assert (await house.ask("acme editor", "POST", "datasets", more))[0] == 409
    _, page = await house.ask("acme viewer", "GET", "datasets/qa/cases?limit=2")
    assert [each["id"] for each in page["cases"]] == ["c0", "c1"] and page["next"] == "c1"
    _, told = await house.ask("acme viewer", "GET", f"datasets/qa/diff?before={first['version']}")
    assert told["changed"] == 1 and told["changes"][0]["fields"][0]["field"] == "input"
    _, shown = await house.ask("acme viewer", "GET", "datasets/qa")
    assert len(shown["versions"]) == 2 and shown["labels"][0]["label"] == "latest"
    for path in ("datasets/qa", "datasets/qa/cases"):
        assert (await house.ask("other viewer", "GET", path))[0] == 404
        assert (await house.ask("other viewer", "GET", f"{path}?tenant=acme"))[0] == 403
        assert (await house.ask("other admin", "GET", f"{path}?tenant=acme"))[0] == 200
    assert (await house.ask("other viewer", "GET", "datasets"))[1] == []
    status, wrong = await house.ask("acme editor", "POST", "datasets", {"name": "bad", "cases": [{"x": 1}]})
    assert status == 400 and "case 1: has no 'input'" in wrong["error"]["message"]
    assert (await house.ask("acme viewer", "GET", "datasets/qa/cases?version=..%2Fx"))[0] == 400


async def test_a_golden_label_is_an_administrators(house: House) -> None:
    await house.ask("acme editor", "POST", "datasets", {"name": "qa", "cases": CASES})
    move = {"version": "latest", "reason": "checked"}
    assert (await house.ask("acme editor", "PUT", "datasets/qa/labels/golden", move))[0] == 403
    assert (await house.ask("acme editor", "PUT", "datasets/qa/labels/stable", move))[0] == 200
    assert (await house.ask("acme admin", "PUT", "datasets/qa/labels/golden", {"version": "latest"}))[0] == 400
    assert (await house.ask("acme admin", "PUT", "datasets/qa/labels/golden", move))[1]["labels"] == [
        "golden", "latest", "stable"
    ]  # fmt: skip
    assert (await house.ask("acme editor", "DELETE", "datasets/qa"))[0] == 409
    assert (await house.ask("acme admin", "DELETE", "datasets/qa/labels/golden?reason=over"))[0] == 200
    assert (await house.ask("acme editor", "DELETE", "datasets/qa"))[0] == 200


async def test_a_reviewers_way_through_a_queue(house: House) -> None:
    wanted = {"name": "q", "question": "correct", "kind": "choices", "choices": ["good", "bad"], "reviewers": 2}
    status, made = await house.ask("acme editor", "POST", "review/queues", wanted)
    assert status == 201 and made["progress"]["items"] == 0
    items = {"items": [{"input": "<script>", "output": n, "trace_id": f"{n + 1:032x}"} for n in range(3)]}
    assert (await house.ask("acme editor", "POST", "review/queues/q/items", items))[1]["added"] == 3
    assert (await house.ask("acme editor", "POST", "review/queues/q/items", items))[1]["added"] == 0
    for reviewer, answer in (("ann", "good"), ("bob", "bad")):
        _, taken = await house.ask("acme editor", "POST", "review/queues/q/next", {"reviewer": reviewer})
        item = f"review/queues/q/items/{taken['item']['id']}"
        status, done = await house.ask(
            "acme editor", "POST", f"{item}/answer", {"answer": answer, "reviewer": reviewer}
        )
        assert status == 200 and done["progress"]["mine"] == 1
    assert done["state"] == "disputed"
    assert (await house.ask("acme editor", "POST", f"{item}/answer", {"answer": "odd"}))[0] == 400
    _, next_ = await house.ask("acme editor", "POST", "review/queues/q/next", {"reviewer": "ann"})
    skip = f"review/queues/q/items/{next_['item']['id']}/skip"
    assert (await house.ask("acme editor", "POST", skip, {"reviewer": "ann"}))[1]["progress"]["waiting"] == 1
    _, back = await house.ask("acme editor", "POST", "review/queues/q/undo", {"reviewer": "ann"})
    assert back["item"]["id"] == next_["item"]["id"]
    _, shown = await house.ask("acme viewer", "GET", "review/queues/q?reviewer=ann")
    assert shown["agreement"]["compared"] == 1 and shown["progress"]["mine"] == 1
    _, listed = await house.ask("acme viewer", "GET", "review/queues/q/items?state=disputed")
    assert len(listed["items"]) == 1 and len(listed["items"][0]["marks"]) == 2
    _, scores = await house.ask("acme viewer", "GET", "scores?source=human")
    assert sorted(each["source_id"] for each in scores["scores"]) == ["ann", "bob"]
    assert (await house.ask("other viewer", "GET", "review/queues/q"))[0] == 404
    assert (await house.ask("acme viewer", "POST", "review/queues/q/next", {}))[0] == 403
    assert (await house.ask("acme editor", "DELETE", "review/queues/q"))[0] == 200
