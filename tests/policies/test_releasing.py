"""The releasing policy: what a released name's call becomes, and what it costs whoever asks for no such name."""

from collections.abc import Callable, Mapping, Sequence
from typing import Any

import msgspec
import pytest

from llmops.app import Stack
from llmops.dialects.registry import CONVERSATIONAL, DIALECTS
from llmops.errors import InvalidRequest, UnsupportedParameter
from llmops.policies.releasing import releasing
from llmops.releases.bundle import read_bundle, release_id
from llmops.releases.release import Pointer, Release
from llmops.releases.table import ReleaseTable
from llmops.settings import Settings
from llmops.types import Assignment, Call, Operation, Outcome, Reply
from tests.fakes.upstream import Upstream, answering

USER = [{"role": "user", "content": "Hi"}]


class Greets:
    async def render(
        self, tenant: str, name: str, version: int, variables: Mapping[str, Any], /
    ) -> Sequence[Mapping[str, Any]]:
        if set(variables) - {"who"}:
            raise InvalidRequest("unknown variables")
        return [{"role": "system", "content": f"{name} {version} {variables.get('who', 'nobody')}"}]


class Sends:
    def __init__(self, release_id: str) -> None:
        self.release_id = release_id

    def assign(self, name: str, call: Call) -> Assignment | None:
        return Assignment(release_id=self.release_id, arm="candidate", probability=0.25, rollout_id="ro-1")


def a_table(*bundles: Mapping[str, Any]) -> tuple[ReleaseTable, list[str]]:
    """Releases of ``bot``, the first one live."""
    table = ReleaseTable(CONVERSATIONAL)
    table.renderer = Greets()
    made = [read_bundle({"name": "bot", "model": "mock", **each}) for each in bundles]
    about: dict[str, Any] = {"tenant": None, "parent": None, "created_at_ms": 0, "created_by": "ann", "reason": ""}
    releases = [Release(id=release_id(each), bundle=each, **about) for each in made]
    pointer = Pointer(tenant=None, name="bot", release_id=releases[0].id, moves=1, since_ms=0, by="ann")
    table.replace([pointer], releases, (), {})
    return table, [each.id for each in releases]


def a_call(operation: Operation = "chat", **body: Any) -> Call:
    raw = msgspec.json.encode({"model": "bot", **({"messages": USER} if operation != "responses" else {}), **body})
    return Call(
        operation=operation,
        body=raw,
        view=DIALECTS[operation].view(raw),
        request_id="req_1",
        trace_id="1" * 32,
        span_id="2" * 16,
        started_at_s=0.0,
        started_s=0.0,
    )


async def asked(table: ReleaseTable, call: Call) -> tuple[Reply, dict[str, Any]]:
    """The reply, and the body as it goes on."""
    seen: list[bytes] = []

    async def handle(call: Call) -> Reply:
        seen.append(call.body)
        return Reply(outcome=Outcome())

    reply = await releasing(table, DIALECTS)(handle)(call)
    return reply, msgspec.json.decode(seen[0])


async def test_another_name_goes_its_way_untouched() -> None:
    table, _ = a_table({"parameters": {"seed": 1}})
    call = a_call(model="mock")
    body = call.body
    await asked(table, call)
    assert call.body is body and call.release_id is None and call.asked is None


async def test_model_parameters_and_stamps() -> None:
    table, (made,) = a_table({"parameters": {"seed": 1, "max_tokens": 9}, "retrieval": {"knowledge": "handbook@3"}})
    call = a_call(seed=2, unknown={"kept": [1]})
    call.view.user = "token's"
    _, body = await asked(table, call)
    assert body == {"model": "mock", "messages": USER, "seed": 2, "unknown": {"kept": [1]}, "max_tokens": 9}
    assert (call.release_id, call.asked, call.view.model, call.view.max_tokens) == (made, "bot", "mock", 9)
    assert call.view.user == "token's" and call.knowledge == "handbook@3" and call.prompt_version is None
    assert (call.arm, call.probability, call.rollout_id) == (None, None, None)


async def test_a_release_of_a_model_alone_leaves_the_body_as_it_is() -> None:
    table, (made,) = a_table({})
    call = a_call()
    body = call.body
    await asked(table, call)
    assert call.body is body and call.view.model == "mock" and call.release_id == made


async def test_an_assigned_call_carries_its_arm() -> None:
    table, (_, candidate) = a_table({}, {"parameters": {"seed": 1}})
    table.assigner = Sends(candidate)
    call = a_call()
    _, body = await asked(table, call)
    assert body["seed"] == 1 and call.release_id == candidate
    assert (call.arm, call.probability, call.rollout_id) == ("candidate", 0.25, "ro-1")


@pytest.mark.parametrize("operation", ["chat", "messages", "responses"])
async def test_the_prompt_is_put_in_front(operation: Operation) -> None:
    table, _ = a_table({"prompt": {"name": "greeting", "version": 3}})
    given = {"chat": {}, "messages": {"max_tokens": 5}, "responses": {"input": "Hi"}}[operation]
    call = a_call(operation, prompt={"variables": {"who": "Ann"}}, **given)
    _, body = await asked(table, call)
    said = {"role": "system", "content": "greeting 3 Ann"}
    if operation == "messages":
        assert body["system"] == said["content"] and body["messages"] == USER
    else:
        assert body["messages" if operation == "chat" else "input"] == [said, *USER]
    assert "prompt" not in body and call.prompt_version == "greeting@3"
    assert [message.role for message in call.view.messages] == ["system", "user"]


async def test_which_prompt_it_is_the_release_says() -> None:
    table, _ = a_table({"prompt": {"name": "greeting", "version": 3}})
    for prompt in ({"variables": {"x": 1}}, {"id": "pmpt_1"}, 7):
        with pytest.raises(InvalidRequest):
            await asked(table, a_call(prompt=prompt))
    table.renderer = None
    named = a_call(prompt={"variables": {}})
    named.named_prompt = "mine@2"
    with pytest.raises(InvalidRequest, match="its `variables` alone, not 'mine@2'"):
        await asked(table, named)
    with pytest.raises(InvalidRequest, match="there are no prompts here"):
        await asked(table, a_call())


async def test_what_a_dialect_cannot_carry_is_no_silent_loss() -> None:
    table, (made,) = a_table({"parameters": {"seed": 1, "temperature": 0.5}})
    with pytest.raises(UnsupportedParameter, match=f"{made} sets seed, which messages does not have"):
        await asked(table, a_call("messages", max_tokens=5))
    call = a_call("messages", max_tokens=5)
    call.allow_dropped = True
    _, body = await asked(table, call)
    assert body["temperature"] == 0.5 and "seed" not in body and call.dropped == ["seed"]


@pytest.mark.parametrize("deployed", [None, "gpt-4o"], ids=["by its own name", "by the deployment's name"])
@pytest.mark.parametrize("parameters", [{}, {"temperature": 0.5}], ids=["model alone", "with parameters"])
async def test_the_upstream_is_asked_for_the_releases_model(
    settings: Callable[..., Settings], deployed: str | None, parameters: dict[str, Any]
) -> None:
    table, _ = a_table({"model": "measured", "parameters": parameters})
    usage = {"prompt_tokens": 1, "completion_tokens": 1, "total_tokens": 2}
    choice = {"index": 0, "message": {"role": "assistant", "content": "Hi"}, "finish_reason": "stop"}
    answer = {"id": "1", "object": "chat.completion", "created": 1, "model": "m", "choices": [choice], "usage": usage}
    async with Upstream(answering(200, msgspec.json.encode(answer))) as upstream:
        deployment = {"provider": "openai", "base_url": f"{upstream.url}/v1"}
        models = {"measured": [deployment if deployed is None else {**deployment, "model": deployed}]}
        async with Stack(settings(models), releases=table) as stack:
            await stack.call("chat", {"model": "bot", "messages": USER})
    assert [request.json()["model"] for request in upstream.requests] == [deployed or "measured"]


async def test_what_policies_look_at_is_that_of_the_release() -> None:
    for parameters, seen in (({"temperature": 0.2}, None), ({"max_tokens": 7, "temperature": 0.2}, 7)):
        table, _ = a_table({"parameters": parameters})
        call = a_call()
        _, body = await asked(table, call)
        assert (body["model"], body["temperature"]) == ("mock", 0.2)
        assert (call.view.model, call.view.max_tokens) == ("mock", seen)
