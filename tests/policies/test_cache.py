"""What is answered from the cache, for how long, and what is never kept."""

import asyncio
import json
from pathlib import Path
from typing import Any, Self

import pytest

from llmops.caching.entry import Entry, read_entry, write_entry
from llmops.clock import ManualClock
from llmops.errors import DeadlineExceeded, NotCached, StoreUnavailable, UpstreamTimeout
from llmops.store.answers.labels import Labels, Selector
from llmops.types import CacheWish, Call, Outcome, Reply, Usage
from tests.caching.questions import QUESTION
from tests.caching.stand import Script, Stand, Upstream, answer, read, turns
from tests.spend.deployments import deployment

STREAMED = {**QUESTION, "stream": True}
NO_CACHE, NO_STORE = CacheWish(reads=False), CacheWish(reads=False, writes=False)
ONLY = CacheWish(only=True)


@pytest.fixture
def stand(tmp_path: Path) -> Stand:
    return Stand(tmp_path, ttl_s=60.0)


def upstream(stand: Stand) -> Upstream:
    assert isinstance(stand.upstream, Upstream)
    return stand.upstream


@pytest.mark.parametrize("body", [QUESTION, STREAMED])
async def test_an_answer_is_given_again_and_costs_nothing(stand: Stand, body: dict[str, Any]) -> None:
    first = await stand.ask(body)
    whole = await read(first)
    stand.clock.advance(7.5)
    second = await stand.ask(body)
    assert await read(second) == whole and second.cache is not None
    assert (second.cached, second.cache.state, second.cache.age_s) == (True, "hit", 7.5)
    paid, hit = stand.ended
    assert paid.charge is not None and hit.charge is not None and paid.charge.cost_nanousd
    assert (hit.charge.cost_nanousd, hit.charge.usage.total) == (0, 0)
    assert hit.charge.saved_nanousd == paid.charge.cost_nanousd and paid.charge.saved_nanousd == 0
    assert (hit.call.attempts, hit.call.deployment) == (0, None)
    assert second.outcome.usage == first.outcome.usage, "the body's usage and the record's are of one answer"


async def test_streams_and_whole_answers_are_kept_apart(stand: Stand) -> None:
    assert [await stand.state(body) for body in (QUESTION, STREAMED, QUESTION, STREAMED)] == [
        "miss",
        "miss",
        "hit",
        "hit",
    ]


async def test_an_answer_ends(stand: Stand) -> None:
    await stand.ask()
    stand.clock.advance(59.999)
    assert await stand.state() == "hit"
    stand.clock.advance(0.001)
    assert await stand.state() == "miss"


async def test_the_caller_says_how_long(stand: Stand) -> None:
    await stand.ask(cache=CacheWish(ttl_s=5.0))
    stand.clock.advance(4.0)
    assert await stand.state() == "hit"
    stand.clock.advance(1.0)
    assert await stand.state(cache=CacheWish(ttl_s=0.0)) == "miss"
    assert await stand.state(cache=CacheWish(ttl_s=500.0)) == "miss", "nothing was kept for no time"
    stand.clock.advance(499.0)
    assert await stand.state() == "hit"


async def test_the_caller_says_how_old(stand: Stand) -> None:
    await stand.ask()
    stand.clock.advance(10.0)
    assert await stand.state(cache=CacheWish(max_age_s=10.0)) == "hit"
    assert await stand.state(cache=CacheWish(max_age_s=9.0)) == "miss"
    assert await stand.state(cache=CacheWish(max_age_s=0.0)) == "hit", "the newer answer was kept in this very moment"


async def test_no_cache_asks_anew_and_is_kept(stand: Stand) -> None:
    old = (await stand.ask()).body
    new = (await stand.ask(cache=NO_CACHE)).body
    assert old != new and (await stand.ask()).body == new


async def test_no_store_neither_reads_nor_keeps(stand: Stand) -> None:
    assert [await stand.state(cache=NO_STORE) for _ in range(2)] == ["bypass", "bypass"]
    assert await stand.state() == "miss"
    assert await stand.state(cache=NO_STORE) == "bypass"
    assert upstream(stand).begun == 4


async def test_only_if_cached_never_asks(stand: Stand) -> None:
    stateful = {**QUESTION, "previous_response_id": "r"}
    for body, wish in (
        (QUESTION, ONLY),
        (QUESTION, CacheWish(reads=False, only=True)),
        (QUESTION, CacheWish(reads=False, writes=False, only=True)),
        (stateful, ONLY),
    ):
        with pytest.raises(NotCached):
            await stand.ask(body, cache=wish)
    assert upstream(stand).begun == 0
    assert {each.charge.cost_nanousd for each in stand.ended if each.charge} == {0}
    await stand.ask()
    assert await stand.state(cache=ONLY) == "hit"
    stand.clock.advance(60)
    assert await stand.state(cache=ONLY) == "not_cached"


async def test_tenants_share_nothing(stand: Stand) -> None:
    for tenant in ("a", "b", "default"):
        assert await stand.state(tenant=tenant) == "miss"
    assert await stand.state(tenant="a") == "hit"


async def test_tenants_do_not_ride_together(tmp_path: Path) -> None:
    stand = Stand(tmp_path, Upstream([Script(before=10)]))
    bodies = await asyncio.gather(*(stand.ask(number=number, tenant=f"t{number % 2}") for number in range(1, 9)))
    assert len({reply.body for reply in bodies}) == upstream(stand).begun == 2


async def test_after_a_reload_other_deployments_are_asked(stand: Stand) -> None:
    await stand.ask()
    stand.serve(deployment("m2", provider="mock"), generation=b"2")
    assert await stand.state() == "miss"
    assert await stand.state() == "hit"


async def test_a_hit_of_a_deployment_that_is_gone_saves_an_unknown_amount(stand: Stand) -> None:
    await stand.ask()
    stand.serve(deployment("renamed", provider="mock"), generation=b"1")
    assert await stand.state() == "hit"
    assert stand.ended[-1].charge is not None and stand.ended[-1].charge.saved_nanousd == 0


async def test_what_was_counted_by_estimate_is_saved_by_estimate(tmp_path: Path) -> None:
    async def uncounted(call: Call) -> Reply:
        return Reply(body=b"{}", outcome=Outcome(output_chars=400))

    stand = Stand(tmp_path, uncounted)
    await stand.ask()
    assert await stand.state() == "hit"
    paid, hit = (each.charge for each in stand.ended)
    assert paid is not None and hit is not None and hit.saved_nanousd == paid.cost_nanousd and paid.cost_nanousd


class _Ending:
    """A stream of one event that fills in what is known at its end."""

    def __init__(self, reply: Reply | None = None, json_valid: bool | None = None) -> None:
        self.reply = reply
        self._json_valid = json_valid
        self._events = [b"data: {}\n\n"]

    def __aiter__(self) -> Self:
        return self

    async def __anext__(self) -> bytes:
        if not self._events:
            assert self.reply is not None
            self.reply.json_valid = self._json_valid
            raise StopAsyncIteration
        return self._events.pop()

    async def aclose(self) -> None:
        pass


@pytest.mark.parametrize("streamed", [False, True])
@pytest.mark.parametrize(
    ("fields", "kept"),
    [
        ({}, True),
        ({"json_valid": True}, True),
        ({"json_valid": False}, False),
        ({"status": 203}, False),
        ({"cached": True}, False),
    ],
)
async def test_what_is_kept(tmp_path: Path, fields: dict[str, Any], kept: bool, streamed: bool) -> None:
    async def told(call: Call) -> Reply:
        if not streamed:
            return Reply(body=b"{}", outcome=Outcome(usage=Usage()), **fields)
        given = {name: value for name, value in fields.items() if name != "json_valid"}
        stream = _Ending(json_valid=fields.get("json_valid"))
        stream.reply = Reply(stream=stream, outcome=Outcome(usage=Usage()), **given)
        return stream.reply

    stand = Stand(tmp_path, told)
    reply = await stand.ask(STREAMED if streamed else QUESTION)
    await read(reply)
    await turns(2)
    assert (await stand.state(STREAMED if streamed else QUESTION) == "hit") == kept
    if "json_valid" in fields:
        assert {each.reply.json_valid for each in stand.ended if each.reply} == {fields["json_valid"]}


async def test_an_error_is_not_kept(tmp_path: Path) -> None:
    stand = Stand(tmp_path, Upstream([Script(breaks_before=0), Script()]))
    assert [await stand.state() for _ in range(3)] == ["upstream_unavailable", "miss", "hit"]


async def test_what_is_too_large_is_passed_on_and_counted(tmp_path: Path) -> None:
    stand = Stand(tmp_path, Upstream([Script(chunk_bytes=100)]), max_entry_bytes=250)
    assert [await stand.state() for _ in range(2)] == ["miss", "miss"]
    assert stand.known.too_large == 2 and stand.known.answers.view().entries == 0


async def test_counting_tokens_is_not_answered_from_it(stand: Stand) -> None:
    assert [await stand.state(operation="count_tokens") for _ in range(2)] == ["bypass", "bypass"]


async def test_a_damaged_answer_is_a_miss_that_is_counted(stand: Stand) -> None:
    await stand.ask()
    key = stand.ended[0].call.fingerprint
    assert key is not None
    labels = Labels(tenant="default", model="m")
    for data in (b"", b"\x00older", b"\x01\xff\xff"):
        stand.known.answers.put(key, data, labels, began_s=stand.clock.now_s(), expires_s=stand.clock.now_s() + 60)
        assert await stand.state() == "miss"
    assert stand.known.unreadable == 3
    assert await stand.state() == "hit", "the new answer took its place"


async def test_a_damaged_look_up_that_decodes_is_an_answer_of_its_format(stand: Stand) -> None:
    await stand.ask()
    key = stand.ended[0].call.fingerprint
    assert key is not None
    data = stand.known.answers.get(key)
    assert isinstance(data, bytes)
    entry = read_entry(data)
    assert isinstance(entry, Entry) and write_entry(entry) == data
    assert entry.deployment == stand.ended[0].call.deployment.name  # type: ignore[union-attr]


async def test_a_call_after_an_invalidation_does_not_ride_with_one_before(tmp_path: Path) -> None:
    stand = Stand(tmp_path, Upstream([Script(before=20)]))
    before = asyncio.create_task(stand.ask(number=1))
    await turns(3)
    await stand.known.invalidate(Selector(model="m"))
    after = asyncio.create_task(stand.ask(number=2))
    assert (await before).body != (await after).body and upstream(stand).begun == 2
    stand.clock.advance(0.001)


async def test_what_was_asked_before_an_invalidation_is_not_kept(stand: Stand) -> None:
    call = asyncio.create_task(stand.ask(number=1))
    await turns(2)
    stand.clock.advance(1)
    await stand.known.invalidate(Selector())
    await call
    assert await stand.state() == "miss"


async def test_a_store_that_cannot_keep_fails_no_call(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    class Full:
        """A store with a defect."""

        def get(self, key: bytes) -> None:
            return None

        def put(self, key: bytes, data: bytes, labels: Labels, *, began_s: float, expires_s: float) -> None:
            raise StoreUnavailable("full")

        async def invalidate(self, selector: Selector) -> None:
            return None

        def view(self) -> Any:
            raise AssertionError

    stand = Stand(tmp_path, Upstream([Script()]))
    stand.known.answers = Full()
    for body in (QUESTION, STREAMED):
        assert await read(await stand.ask(body)) == b"".join(answer(Script(), upstream(stand).begun - 1))
    assert "could not be kept" in caplog.text and stand.known.flights == {}


class Patient:
    """An upstream that answers after a while of real time, or fails when the call's own time is over."""

    def __init__(self, after_s: float) -> None:
        self.after_s = after_s
        self.begun = 0

    async def __call__(self, call: Call) -> Reply:
        self.begun += 1
        patience_s = call.timeout_s if call.timeout_s is not None else 60.0
        try:
            async with asyncio.timeout(patience_s):
                await asyncio.sleep(self.after_s)
        except TimeoutError:
            raise UpstreamTimeout("the call's time is over") from None
        return Reply(body=b"{}", outcome=Outcome(usage=Usage(prompt=1, completion=1)))


async def test_a_followers_own_time_ends_its_wait(tmp_path: Path) -> None:
    slow = Patient(0.3)
    stand = Stand(tmp_path, slow)
    leader = asyncio.create_task(stand.ask(number=1))
    await turns(3)
    hasty = asyncio.create_task(stand.ask(number=2, timeout_s=0.02))
    done, _ = await asyncio.wait({leader, hasty}, return_when=asyncio.FIRST_COMPLETED)
    assert done == {hasty} and isinstance(hasty.exception(), DeadlineExceeded)
    assert (await leader).body == b"{}" and slow.begun == 1
    assert [each.call.attempts for each in stand.ended] == [0, 1]


async def test_a_leaders_own_time_fails_nobody_else(tmp_path: Path) -> None:
    slow = Patient(0.1)
    stand = Stand(tmp_path, slow)
    hasty = asyncio.create_task(stand.ask(number=1, timeout_s=0.02))
    await turns(3)
    others = [asyncio.create_task(stand.ask(number=number)) for number in range(2, 6)]
    with pytest.raises(UpstreamTimeout):
        await hasty
    replies = await asyncio.gather(*others)
    assert {reply.body for reply in replies} == {b"{}"} and slow.begun == 2
    assert sum(not reply.cached for reply in replies) == 1


async def test_the_wait_for_another_call_is_bounded_without_a_wish(tmp_path: Path) -> None:
    stand = Stand(tmp_path, Patient(0.3), timeout_s=0.02)
    leader = asyncio.create_task(stand.ask(number=1))
    await turns(3)
    with pytest.raises(DeadlineExceeded):
        await stand.ask(number=2)
    await leader


async def test_attempts_that_failed_are_the_payers(tmp_path: Path) -> None:
    from llmops.types import FailedAttempt

    lost = FailedAttempt(number=1, deployment="d", error_type="x", status=None, latency_s=0.1, in_doubt=True)

    async def second_try(call: Call) -> Reply:
        call.attempts += 1
        call.failed += (lost,)
        await turns(3)
        return Reply(body=b"{}", outcome=Outcome(usage=Usage(prompt=10, completion=1)))

    stand = Stand(tmp_path, second_try)
    await asyncio.gather(*(stand.ask(number=number) for number in (1, 2)))
    assert [len(each.call.failed) for each in stand.ended] == [1, 0]
    paid, shared = (each.charge for each in stand.ended)
    assert paid is not None and shared is not None
    assert paid.usage.prompt > 10 and shared.usage.total == 0, "the attempt of unknown fate is charged, once"


async def test_the_key_is_of_the_body_as_it_came(stand: Stand) -> None:
    compact = json.dumps(QUESTION, separators=(",", ":")).encode()
    assert await stand.state(compact) == "miss"
    assert await stand.state(json.dumps(QUESTION).encode()) == "miss"
    assert await stand.state(json.dumps({**QUESTION, "user": "alice"}, separators=(",", ":")).encode()) == "hit"


async def test_a_clock_that_is_set_back_makes_no_answer_older_than_it_is(tmp_path: Path) -> None:
    clock = ManualClock()
    stand = Stand(tmp_path, clock=clock, ttl_s=60.0)
    await stand.ask()
    clock.advance(-30)
    reply = await stand.ask()
    assert reply.cache is not None and (reply.cache.state, reply.cache.age_s) == ("hit", 0.0)
