"""The policy: the model is known and the call has its place before anything is done for it."""

from pathlib import Path

import pytest

from llmops.errors import InvalidRequest, LimitReached, UnknownModel
from llmops.policies.limits import limits
from llmops.policies.recording import recording
from llmops.policies.routing import Model, ModelTable
from llmops.types import Call, Handler, Reply
from tests.policies.handlers import a_call, answering
from tests.spend.deployments import deployment
from tests.spend.till import Till, logged, rules

TABLE = ModelTable([Model(name="gpt-*", deployments=(deployment("gpt-*", provider="mock"),))])


class Counter:
    """A handler that counts what reaches it."""

    def __init__(self, handle: Handler) -> None:
        self.seen: list[Call] = []
        self._handle = handle

    async def __call__(self, call: Call) -> Reply:
        self.seen.append(call)
        return await self._handle(call)


async def test_it_names_the_model_lets_in_and_says_what_is_left(tmp_path: Path) -> None:
    till, inner = Till(tmp_path, rules({"requests_per_second": 2})), Counter(answering("Hi"))
    call = a_call(model="gpt-4")
    await limits(TABLE, till.admission)(inner)(call)
    assert call.model == "gpt-*" and call.headroom is not None and call.headroom.requests is not None
    assert call.headroom.requests.remaining == 1 and inner.seen == [call] and till.ledger.open == 1


async def test_an_unknown_model_takes_nothing(tmp_path: Path) -> None:
    till, inner = Till(tmp_path, rules({"requests_per_second": 1})), Counter(answering("Hi"))
    for _ in range(3):
        with pytest.raises(UnknownModel):
            await limits(TABLE, till.admission)(inner)(a_call(model="llama"))
    await limits(TABLE, till.admission)(inner)(a_call(model="gpt-4"))
    assert len(inner.seen) == 1


async def test_what_is_over_goes_no_further(tmp_path: Path) -> None:
    till, inner = Till(tmp_path, rules({"requests_per_second": 1})), Counter(answering("Hi"))
    handle = limits(TABLE, till.admission)(inner)
    await handle(a_call(model="gpt-4"))
    with pytest.raises(LimitReached):
        await handle(a_call(model="gpt-4"))
    assert len(inner.seen) == 1


@pytest.mark.parametrize("when", ["called", "awaited"])
async def test_an_error_inside_gives_the_place_back(when: str, tmp_path: Path) -> None:
    """Also one that comes before anything could be awaited."""
    till = Till(tmp_path, rules({"concurrent_calls": 1}))

    def at_once(call: Call) -> Reply:
        raise InvalidRequest("no")

    async def later(call: Call) -> Reply:
        raise InvalidRequest("no")

    inner: Handler = at_once if when == "called" else later  # type: ignore[assignment]
    handle = recording(till.ledger, till.clock)(limits(TABLE, till.admission)(inner))
    for _ in range(3):
        with pytest.raises(InvalidRequest):
            await handle(a_call(model="gpt-4"))
    assert till.ledger.open == 0
    till.log.write()
    assert [line["cost_nanousd"] for line in logged(tmp_path)] == [0, 0, 0]
