"""Counters that outlive the process: after a crash they are told what became of every call that they were asked for."""

import asyncio
from collections.abc import Sequence
from contextlib import closing
from pathlib import Path

import pytest

from llmops.errors import ClientDisconnected, LimitReached, StoreUnavailable
from llmops.settings import QueueSettings
from llmops.spend.admission import Admission
from llmops.spend.estimate import Estimator
from llmops.spend.recovery import Recovered, recover, recovering
from llmops.spend.usher import Usher
from llmops.store.counters.counters import Hold, Refused
from llmops.store.counters.meter import Amounts, Meter, Quota
from llmops.types import Call
from tests.spend.till import PRICED, Till, a_call, answer, log_file, logged, rules

NOW_S = 1_700_000_100.0
RESERVED = 100 * 150 + 100 * 600
ONE_PLACE = rules({"concurrent_calls": 1, "name": "one"})


class Asked:
    """A till's counters, asked from afar: each question waits for its answer to be let through."""

    def __init__(self, till: Till, *, queue: bool = False) -> None:
        self.till = till
        self.answers = asyncio.Event()
        self.questions: list[str] = []
        estimator = Estimator(till.ledger.prices, till.lengths)
        usher = Usher(self, till.clock, QueueSettings(max_wait_seconds=30)) if queue else None
        self.admission = Admission(till.rules, estimator, self, till.ledger, till.clock, usher)

    async def reserve(self, request_id: str, meters: Sequence[Meter], amounts: Amounts) -> Hold | Refused:
        self.questions.append(request_id)
        await self.answers.wait()
        return self.till.counters.reserve(request_id, meters, amounts)

    def settle(self, hold: Hold, tokens: int, nanousd: int) -> None:
        self.till.counters.settle(hold, tokens, nanousd)

    async def used(self, meters: Sequence[Quota]) -> list[int]:
        return self.till.counters.used(meters)

    def ask(self, call: Call) -> "asyncio.Future[None]":
        waiting = self.admission.admit(call, [PRICED])
        assert waiting is not None
        return asyncio.ensure_future(waiting)

    async def admit(self, call: Call) -> Call:
        self.answers.set()
        await self.ask(call)
        call.deployment, call.attempts = PRICED, 1
        return call


def known(folder: Path) -> list[Recovered]:
    with closing(log_file(folder)) as file:
        return recover(folder / "journal", file, NOW_S)


def told(folder: Path) -> dict[str, tuple[int, int]]:
    """What counters are told, by the number of the call."""
    return {str(int(call.request_id[4:], 16)): (call.tokens, call.nanousd) for call in known(folder)}


async def test_a_call_that_died_with_its_question_is_given_back_and_in_no_log(tmp_path: Path) -> None:
    till = Till(tmp_path)
    asked = Asked(till)
    asking = asked.ask(a_call(1))
    await asyncio.sleep(0)
    assert asked.questions, "it was asked"
    till.die()
    asking.cancel()
    assert told(tmp_path) == {"1": (0, 0)} and logged(tmp_path) == [], "it went nowhere: nobody pays for it"


async def test_the_journal_knows_of_a_call_before_it_is_asked_for(tmp_path: Path) -> None:
    class Looking(Asked):
        async def reserve(self, request_id: str, meters: Sequence[Meter], amounts: Amounts) -> Hold | Refused:
            (file,) = (tmp_path / "journal").glob("*.jsonl")
            assert request_id.encode() in file.read_bytes()
            return await super().reserve(request_id, meters, amounts)

    looking = Looking(Till(tmp_path))
    await looking.admit(a_call(1))
    assert looking.questions and looking.till.ledger.open == 1


async def test_a_call_that_was_let_in_is_charged_its_estimate(tmp_path: Path) -> None:
    till = Till(tmp_path)
    await Asked(till).admit(a_call(1))
    till.die()
    assert known(tmp_path) == [Recovered(a_call(1).request_id, 200, RESERVED, entered=True)]
    assert [line["recovered"] for line in logged(tmp_path)] == [True]


async def test_one_that_is_in_the_log_is_told_as_the_log_has_it(tmp_path: Path) -> None:
    """Its settlement may not have reached the counters: lines are on disk a tenth of a second later at most."""
    till = Till(tmp_path)
    asked = Asked(till)
    one, two = await asked.admit(a_call(1)), await asked.admit(a_call(2))
    till.end(one, reply=answer(10, 20))
    till.log.write()
    till.end(two, reply=answer(1, 1))
    till.die()
    assert known(tmp_path) == [
        Recovered(one.request_id, 30, 13_500, entered=False),
        Recovered(two.request_id, 2, 750, entered=True),
    ]


@pytest.mark.parametrize("is_line_made", [False, True])
async def test_a_call_that_was_refused_holds_and_costs_nothing(is_line_made: bool, tmp_path: Path) -> None:
    till = Till(tmp_path, ONE_PLACE)
    asked = Asked(till)
    await asked.admit(a_call(1))
    call = a_call(2)
    with pytest.raises(LimitReached) as refused:
        await asked.admit(call)
    if is_line_made:
        till.end(call, error=refused.value)
    till.die()
    assert told(tmp_path) == {"1": (200, RESERVED), "2": (0, 0)}
    lines = {line["request_id"][-1]: line for line in logged(tmp_path)}
    assert lines.keys() == ({"1", "2"} if is_line_made else {"1"})
    if is_line_made:
        assert (lines["2"]["cost_nanousd"], lines["2"]["token_usage"]["total"]) == (0, 0)


async def test_a_call_in_the_queue_is_announced_once_and_admitted_once(tmp_path: Path) -> None:
    till = Till(tmp_path, ONE_PLACE)
    asked = Asked(till, queue=True)
    first = await asked.admit(a_call(1))
    waiting = asked.ask(a_call(2))
    while asked.questions.count(a_call(2).request_id) < 3:  # it is tried every 50 ms
        till.clock.advance(0.05)
        await asyncio.sleep(0.05)
    till.end(first, reply=answer(10, 20))
    till.clock.advance(0.05)
    await waiting
    (file,) = (tmp_path / "journal").glob("*.jsonl")
    entries = [line for line in file.read_bytes().splitlines() if a_call(2).request_id.encode() in line]
    assert [entry[:19] for entry in entries] == [b'{"entry":"reserved"', b'{"entry":"admitted"']
    till.die()
    assert told(tmp_path) == {"1": (30, 13_500), "2": (200, RESERVED)}


async def test_counters_are_not_asked_where_the_journal_cannot_be_written_and_calls_are_refused_then(
    tmp_path: Path,
) -> None:
    till = Till(tmp_path, room_bytes=2**62, when_unwritable="refuse")
    asked = Asked(till)
    for number in range(3):
        with pytest.raises(StoreUnavailable, match="could not be accounted for"):
            await asked.admit(a_call(number))
    assert not asked.questions and till.ledger.unwritten == 0


async def test_where_calls_are_served_all_the_same_one_that_was_not_written_counts_once(tmp_path: Path) -> None:
    till = Till(tmp_path, room_bytes=2**62)
    await Asked(till).admit(a_call(1))
    assert till.ledger.unwritten == 1


# --- a journal that is begun anew -------------------------------------------------------------------------------------


async def roll(till: Till) -> None:
    """Let calls pass, straight from this process's counters, until the journal is another file and the old one gone."""
    folder = till.log.path.parent / "journal"
    before = set(folder.glob("*.jsonl"))
    number = 10**6
    while before & set(folder.glob("*.jsonl")):
        number += 1
        till.end(till.admit(a_call(number)), reply=answer(1, 1))
        till.log.write()
        till.ledger.tidy()


async def test_it_begins_with_questions_that_are_under_way(tmp_path: Path) -> None:
    till = Till(tmp_path, room_bytes=3000)
    asked = Asked(till)
    let_in = await asked.admit(a_call(1))
    asked.answers.clear()
    questions = [asked.ask(a_call(number)) for number in (2, 3, 4)]
    await asyncio.sleep(0)
    questions[2].cancel()
    await asyncio.sleep(0)
    till.end(a_call(4), error=ClientDisconnected("left"))
    await roll(till)
    questions[1].cancel()
    asked.answers.set()
    await questions[0]
    till.die()
    found = told(tmp_path)
    assert (found["1"], found["2"], found["3"]) == ((200, RESERVED), (200, RESERVED), (0, 0))
    assert {line["request_id"] for line in logged(tmp_path) if line["recovered"]} == {
        let_in.request_id,
        a_call(2).request_id,
    }


async def test_it_begins_with_settlements_that_are_not_confirmed(tmp_path: Path) -> None:
    unsettled = [(a_call(1).request_id, 30, 13_500)]
    till = Till(tmp_path, room_bytes=3000, unsettled=lambda: unsettled)
    till.end(till.admit(a_call(1)), reply=answer(10, 20))
    till.log.write()
    await roll(till)
    till.log.write()
    till.die()
    assert told(tmp_path)["1"] == (30, 13_500)
    assert sum(line["request_id"] == a_call(1).request_id for line in logged(tmp_path)) == 1


@pytest.mark.parametrize("is_confirmed", [True, False])
def test_an_orderly_end_keeps_it_while_a_settlement_is_not_confirmed(is_confirmed: bool, tmp_path: Path) -> None:
    unsettled = [] if is_confirmed else [(a_call(1).request_id, 30, 13_500)]
    till = Till(tmp_path, unsettled=lambda: unsettled)
    till.end(till.admit(a_call(1)), reply=answer(10, 20))
    till.log.write()
    till.ledger.close()
    assert told(tmp_path) == ({} if is_confirmed else {"1": (30, 13_500)})


# --- who rescues may die too ------------------------------------------------------------------------------------------


def test_who_takes_over_has_it_in_its_own_journal_before_the_dead_ones_go(tmp_path: Path) -> None:
    dead = Till(tmp_path)
    dead.end(dead.admit(a_call(1)), reply=answer(10, 20))
    dead.admit(a_call(2))
    dead.die()
    expected = {"1": (30, 13_500), "2": (200, RESERVED)}
    for _ in range(3):
        rescuer = Till(tmp_path, unsettled=list)
        with closing(log_file(tmp_path)) as file, recovering(tmp_path / "journal", file, NOW_S) as found:
            rescuer.ledger.carry((call.request_id, call.tokens, call.nanousd) for call in found)
        rescuer.die()
    assert told(tmp_path) == expected
    assert len(logged(tmp_path)) == 2


def test_the_dead_ones_stay_where_it_cannot_be_handed_over(tmp_path: Path) -> None:
    dead = Till(tmp_path)
    dead.admit(a_call(1))
    dead.die()
    with closing(log_file(tmp_path)) as file:
        with pytest.raises(OSError, match="full"), recovering(tmp_path / "journal", file, NOW_S) as found:
            assert len(found) == 1
            raise OSError("full")
    assert known(tmp_path) == [Recovered(a_call(1).request_id, 200, RESERVED, entered=False)]
    assert len(logged(tmp_path)) == 1
