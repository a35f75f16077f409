"""Prompts through a running gateway: published over ``/api/prompts``, used by calls in every dialect, followed within a
second; nobody sees another's."""

import asyncio
import json
from collections.abc import AsyncIterator, Awaitable, Callable
from typing import Any

import pytest

from llmops.opening import open_identity
from llmops.settings import Settings
from tests.fakes.gateway import Answer, Gateway, http_request

NAME = "support/refund"
TEXT = "You write to {{customer}}."


class House:
    def __init__(self, gateway: Gateway, keys: dict[str, str]) -> None:
        self.gateway = gateway
        self._keys = keys

    async def ask(self, holder: str, method: str, path: str, body: Any = None, **headers: str) -> Answer:
        headers["Authorization"] = f"Bearer {self._keys[holder]}"
        async with await self.gateway.connect() as connection:
            await connection.send(http_request(method, path, body, headers))
            return await connection.read_answer()

    async def publish(self, holder: str = "acme editor", query: str = "", **fields: Any) -> Answer:
        body = {"name": NAME, "text": TEXT, **fields}
        if "messages" in fields:
            del body["text"]
        return await self.ask(holder, "POST", f"/api/prompts{query}", body)

    async def call(self, prompt: Any, path: str = "/v1/chat/completions", holder: str = "acme caller", **fields: Any):
        return await self.ask(holder, "POST", path, {"model": "mock", "prompt": prompt, **fields})

    async def last(self) -> dict[str, Any]:
        """The latest line of the request log."""
        await self.ask("admin", "GET", "/metrics")
        file = self.gateway.log_dir / "gateway.jsonl"
        return json.loads(file.read_text().splitlines()[-1])


@pytest.fixture
async def house(settings: Callable[..., Settings]) -> AsyncIterator[House]:
    built = settings(
        {"other": [{"provider": "mock", "mock": {"reply": "from the other"}}]},
        auth={"refresh_seconds": 0.05},
        log={"capture_messages": True},
    )
    identity = open_identity(built)
    keys = {}
    for tenant in ("acme", "other"):
        identity.registry.create_tenant(tenant)
        for role in ("caller", "viewer", "editor"):
            keys[f"{tenant} {role}"] = str(identity.registry.create_key(name=role, tenant=tenant, role=role)[1])
    keys["admin"] = str(identity.registry.create_key(name="admin", tenant="acme", role="admin")[1])
    narrow = identity.registry.create_key(name="narrow", tenant="acme", role="caller", models=("mock",))
    keys["narrow caller"] = str(narrow[1])
    async with Gateway(built) as gateway:
        yield House(gateway, keys)
    identity.close()


async def followed(house: House, prompt: Any, wanted: int, **fields: Any) -> Answer:
    """Ask until the answer has that status: gateways follow within a second."""
    for _ in range(40):
        answer = await house.call(prompt, **fields)
        if answer.status == wanted:
            return answer
        await asyncio.sleep(0.05)
    raise AssertionError(answer)


async def test_a_call_that_names_a_prompt_gets_its_messages_and_is_stamped(house: House) -> None:
    made = await house.publish(labels=["production"], comment="the first")
    assert made.status == 201 and made.json()["number"] == 1 and "production" in made.json()["labels"]
    given = {"name": NAME, "variables": {"customer": "Ann {{customer}} <b>"}}
    answer = await followed(house, given, 200)
    assert answer.headers["x-llmops-prompt"] == f"{NAME}@1"
    line = await house.last()
    assert line["prompt_version"] == f"{NAME}@1"
    assert "Ann {{customer}} <b>" in json.dumps(line, ensure_ascii=False), "the value is text, and as it was"
    own = await house.call(given, messages=[{"role": "user", "content": "Hi"}])
    assert own.status == 200
    for path, extra in (
        ("/v1/responses", {"input": "Hi"}),
        ("/v1/responses", {}),
        ("/v1/messages", {"max_tokens": 10, "messages": [{"role": "user", "content": "Hi"}], "system": "Be brief."}),
        ("/v1/messages", {"max_tokens": 10}),
        ("/v1/messages/count_tokens", {}),
    ):
        answer = await house.call(given, path, **extra)
        assert answer.status == 200, (path, answer)
        assert answer.headers["x-llmops-prompt"] == f"{NAME}@1", path


async def test_a_label_that_moves_is_followed_and_a_rollback_as_well(house: House) -> None:
    await house.publish(labels=["production"])
    await house.publish(text="The second, {{customer}}.")
    prompt = {"name": NAME, "variables": {"customer": "Ann"}}
    assert (await followed(house, prompt, 200)).headers["x-llmops-prompt"] == f"{NAME}@1"
    moved = await house.ask(
        "acme editor",
        "PUT",
        "/api/prompts/labels",
        {"name": NAME, "label": "production", "version": 2, "expected": 1, "reason": "better"},
    )
    assert moved.json() == {"name": NAME, "label": "production", "before": 1, "version": 2}
    late = await house.ask(
        "acme editor", "PUT", "/api/prompts/labels", {"name": NAME, "label": "production", "version": 1, "expected": 1}
    )
    assert late.status == 409 and "is at version 2" in late.json()["error"]["message"]

    async def at(number: int) -> bool:
        return (await house.call(prompt)).headers.get("x-llmops-prompt") == f"{NAME}@{number}"

    async with asyncio.timeout(2):
        while not await at(2):
            await asyncio.sleep(0.02)
    back = await house.ask("acme editor", "POST", "/api/prompts/rollback", {"name": NAME, "reason": "worse"})
    assert (back.json()["before"], back.json()["version"]) == (2, 1)
    async with asyncio.timeout(2):
        while not await at(1):
            await asyncio.sleep(0.02)
    trail = (await house.ask("admin", "GET", "/api/audit?action=prompt.*&tenant=acme")).json()["entries"]
    assert [each["action"] for each in trail][:2] == ["prompt.rollback", "prompt.label"]
    assert trail[0]["reason"] == "worse" and trail[0]["object"] == NAME and trail[0]["actor"]["role"] == "editor"


async def test_what_does_not_fit_is_a_400_that_names_it(house: House) -> None:
    await house.publish(variables={"customer": {"type": "string", "max_length": 20}}, labels=["production"])
    await followed(house, {"name": NAME, "variables": {"customer": "Ann"}}, 200)
    for variables, said in (
        ({}, "'customer' (string) is missing"),
        ({"customer": 7}, "'customer' must be a string, not 7"),
        ({"customer": "x" * 21}, "has 21 characters; at most 20"),
        ({"customer": "Ann", "extra": 1}, "no variable 'extra'"),
    ):
        answer = await house.call({"name": NAME, "variables": variables})
        assert answer.status == 400 and said in answer.json()["error"]["message"], answer
    for prompt, status, said in (
        ({"name": NAME, "version": 9}, 404, "no version or label '9'"),
        ({"name": NAME, "label": "staging"}, 404, "'staging'"),
        ({"name": "none"}, 404, "no prompt 'none'"),
        ({"name": "../etc"}, 400, "no prompt's name"),
        ({"name": NAME, "version": 1, "label": "x"}, 400, "not both"),
        ({"name": NAME, "id": "pmpt_1"}, 400, "not both"),
        ({"name": NAME, "wersion": 1}, 400, "wersion"),
    ):
        answer = await house.call(prompt)
        assert answer.status == status and said in answer.json()["error"]["message"], answer
    fallen = await house.call({"name": NAME, "label": "staging", "fallback": "latest", "variables": {"customer": "A"}})
    assert fallen.headers["x-llmops-prompt"] == f"{NAME}@1; fallback-for=staging"


async def test_a_large_value_is_a_clear_400(house: House) -> None:
    await house.publish(labels=["production"])
    await followed(house, {"name": NAME, "variables": {"customer": "Ann"}}, 200)
    answer = await house.call({"name": NAME, "variables": {"customer": "x" * 9_900_000}})
    assert answer.status == 400 and "has 9,900,000 characters; at most 1,000,000" in answer.json()["error"]["message"]


async def test_the_versions_config_gives_defaults_that_the_request_overrides(house: House) -> None:
    config = {"model": "other", "parameters": {"temperature": 0.3, "max_tokens": 9}, "anything": ["else"]}
    await house.publish(config=config, labels=["production"])
    prompt = {"name": NAME, "variables": {"customer": "Ann"}}
    await followed(house, prompt, 200)
    answer = await house.ask("acme caller", "POST", "/v1/chat/completions", {"prompt": prompt})
    assert answer.json()["choices"][0]["message"]["content"] == "from the other"
    assert (await house.last())["model"] == "other"
    answer = await house.ask("acme caller", "POST", "/v1/messages", {"prompt": prompt})
    assert answer.status == 200, "max_tokens came with the prompt"
    for holder, wanted in (("narrow caller", 403), ("acme caller", 200)):
        answer = await house.ask(holder, "POST", "/v1/chat/completions", {"prompt": prompt})
        assert answer.status == wanted, "a key's models hold for a prompt's model too"
    assert (await house.call(prompt, holder="narrow caller")).status == 200


async def test_a_prompt_of_openais_own_goes_upstream(house: House) -> None:
    answer = await house.call({"id": "pmpt_1", "version": "2"}, "/v1/responses")
    assert answer.status == 200 or "prompt" in answer.body.decode()
    assert "x-llmops-prompt" not in answer.headers
    assert (await house.call("a text", messages=[{"role": "user", "content": "Hi"}])).status == 200


async def test_another_tenants_prompt_is_not_there_and_a_shared_one_is(house: House) -> None:
    await house.publish(labels=["production"])
    prompt = {"name": NAME, "variables": {"customer": "Ann"}}
    await followed(house, prompt, 200)
    assert (await house.call(prompt, holder="other caller")).status == 404
    for path in ("versions", "version", "labels", "comments", "usage"):
        assert (await house.ask("other viewer", "GET", f"/api/prompts/{path}?name={NAME}")).status == 404, path
        assert (await house.ask("acme viewer", "GET", f"/api/prompts/{path}?name={NAME}")).status == 200, path
    assert (await house.ask("other viewer", "GET", "/api/prompts")).json()["folders"] == []
    assert (await house.publish("acme editor", "?shared=true", name="tone")).status == 403
    assert (await house.publish("acme editor", "?tenant=other")).status == 403
    assert (await house.publish("acme viewer")).status == 403
    shared = await house.publish("admin", "?shared=true", name="tone", text="Be kind.", labels=["production"])
    assert shared.status == 201 and shared.json()["is_shared"]
    await followed(house, {"name": "tone"}, 200, holder="other caller")
    listed = (await house.ask("other viewer", "GET", "/api/prompts")).json()["prompts"]
    assert [(each["name"], each["is_shared"]) for each in listed] == [("tone", True)]
    own = await house.publish("other editor", name="tone", text="Be brief.", labels=["production"])
    assert own.status == 201
    shown = await house.ask("other viewer", "GET", "/api/prompts/version?name=tone")
    assert shown.json()["text"] == "Be brief.", "a tenant's own wins"


async def test_lists_versions_differences_previews_comments_and_use(house: House) -> None:
    await house.publish(labels=["production"])
    await house.publish(text="Dear {{customer}},\nsecond line", comment="<script>alert(1)</script>")
    assert (await house.publish(text="Dear {{customer}},\nsecond line")).json()["is_new"] is False
    top = (await house.ask("acme viewer", "GET", "/api/prompts")).json()
    assert top["folders"] == ["support"] and top["prompts"] == []
    inside = (await house.ask("acme viewer", "GET", "/api/prompts?folder=support")).json()["prompts"]
    assert inside[0]["name"] == NAME and inside[0]["versions"] == 2 and inside[0]["labels"] == {"production": 1}
    found = (await house.ask("acme viewer", "GET", f"/api/prompts/versions?name={NAME}&limit=1")).json()
    assert [each["number"] for each in found["versions"]] == [2] and found["next"] == 2
    told = (await house.ask("acme viewer", "GET", f"/api/prompts/diff?name={NAME}&before=1")).json()
    assert "-You write to {{customer}}." in told["diff"] and "+second line" in told["diff"]
    preview = await house.ask(
        "acme viewer", "POST", "/api/prompts/render", {"name": NAME, "version": 2, "variables": {"customer": "A"}}
    )
    assert preview.json()["text"] == "Dear A,\nsecond line"
    draft = {"name": NAME, "draft": {"text": "{{x}"}}
    assert "line 1, column 1" in (await house.ask("acme viewer", "POST", "/api/prompts/render", draft)).body.decode()
    said = {"name": NAME, "version": 1, "text": "why?"}
    assert (await house.ask("acme editor", "POST", "/api/prompts/comments", said)).status == 201
    comments = (await house.ask("acme viewer", "GET", f"/api/prompts/comments?name={NAME}")).json()["comments"]
    assert comments[0]["text"] == "why?"
    await followed(house, {"name": NAME, "variables": {"customer": "Ann"}}, 200)

    async def counted() -> int:
        used = (await house.ask("acme viewer", "GET", f"/api/prompts/usage?name={NAME}")).json()["versions"]
        return sum(each["calls"] for each in used if each["number"] == 1)

    async with asyncio.timeout(5):
        while not await counted():
            await asyncio.sleep(0.05)
    gone = await house.ask("acme editor", "DELETE", f"/api/prompts?name={NAME}&reason=old")
    assert gone.status == 200
    await followed(house, {"name": NAME, "variables": {"customer": "Ann"}}, 404)
    again = await house.publish(text="Back, {{customer}}")
    assert again.json()["number"] == 3, "numbers are never used twice"


async def test_jinja_is_rendered_in_a_sandbox(house: House) -> None:
    made = await house.publish(
        engine="jinja",
        text="{% for each in names %}{{ each }};{% endfor %}",
        labels=["production"],
        variables={"names": {"type": "list"}},
    )
    assert made.status == 201, made
    answer = await followed(house, {"name": NAME, "variables": {"names": ["a", "{{ 7 * 7 }}"]}}, 200)
    assert "a;{{ 7 * 7 }};" in json.dumps(await house.last()), answer


async def test_of_two_who_move_a_label_at_the_same_time_one_wins_and_the_other_is_told(house: House) -> None:
    await house.publish(labels=["production"])
    for number in (2, 3):
        await house.publish(text=f"The version {number}, {{{{customer}}}}.")

    def ours(version: int) -> Awaitable[Answer]:
        body = {"name": NAME, "label": "production", "version": version, "expected": 1}
        return house.ask("acme editor", "PUT", "/api/prompts/labels", body)

    def langfuses(version: int, believed: str = "2") -> Awaitable[Answer]:
        path, body = f"/api/public/v2/prompts/{NAME}/versions/{version}", {"newLabels": ["production"]}
        return house.ask("acme editor", "PATCH", path, body, **{"x-llmops-expected-version": believed})

    first = await asyncio.gather(ours(2), ours(3))
    assert sorted(each.status for each in first) == [200, 409]
    lost = next(each for each in first if each.status == 409).json()["error"]["message"]
    now = next(each for each in first if each.status == 200).json()["version"]
    assert f"is at version {now}, not at version 1: " in lost and "moved it there" in lost
    second = await asyncio.gather(*(langfuses(version, str(now)) for version in (1, 5 - now)))
    assert sorted(each.status for each in second) == [200, 409]
    lost = next(each for each in second if each.status == 409).json()
    assert lost["error"] == "LangfuseConflictError" and f"not at version {now}: " in lost["message"]
    assert (await langfuses(1, "0")).status == 409
    assert (await langfuses(1, "x")).status == 400
    body = {"name": NAME, "prompt": "Again, {{customer}}", "labels": ["production"]}
    published = await house.ask(
        "acme editor", "POST", "/api/public/v2/prompts", body, **{"x-llmops-expected-version": "7"}
    )
    assert published.status == 409 and "is at version" in published.json()["message"]
    listed = await house.ask("acme viewer", "GET", f"/api/prompts/versions?name={NAME}")
    assert [each["number"] for each in listed.json()["versions"]] == [3, 2, 1], "nothing is half done"
    assert (await house.ask("acme editor", "POST", "/api/public/v2/prompts", body)).json()["labels"][:1] == [
        "production"
    ]


async def test_one_tenants_slow_templates_do_not_keep_others_waiting(house: House) -> None:
    slow = "{% for a in range(9999) %}{% for b in range(9999) %}{% endfor %}{% endfor %}"
    for holder, text in (("acme editor", slow), ("other editor", "{{ customer }}")):
        await house.publish(holder, name="jinja", text=text, engine="jinja", labels=["production"])
    quick = {"name": "jinja", "variables": {"customer": "Ann"}}
    await followed(house, quick, 200, holder="other caller")
    hogs = [asyncio.ensure_future(house.call({"name": "jinja"})) for _ in range(4)]
    for _ in range(3):
        assert (await house.call(quick, holder="other caller")).status == 200
    assert not any(each.done() and each.result().status == 200 for each in hogs)
    assert {each.status for each in await asyncio.gather(*hogs)} <= {400, 503}
