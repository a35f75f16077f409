"""The ledger: a reservation is on disk before its call, and is settled once, at what the call used."""

import errno
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from llmops.errors import (
    ClientDisconnected,
    InvalidRequest,
    LLMOpsError,
    StoreUnavailable,
    UpstreamRejected,
    UpstreamTimeout,
    UpstreamUnreachable,
)
from llmops.spend.ledger import Ledger
from llmops.spend.recovery import Recovered, recover
from llmops.store.counters.counters import Hold
from llmops.store.counters.meter import Concurrency, Quota, Unit
from llmops.telemetry.record import RefusedRequest
from llmops.types import Deployment, Outcome, Reply, Usage
from tests.spend.till import PRICED, UNPRICED, Till, a_call, answer, log_file, logged, rules, uncounted
from tests.telemetry.calls import refused

BUDGET = {"usd": 1, "window": "total", "name": "all"}
SPENT = Quota(name="budget:all\x1fusd/total", rule="all", unit=Unit.NANOUSD, limit=1, window="total")
TOKENS = Quota(name="limit:tokens\x1ftokens/day", rule="tokens", unit=Unit.TOKENS, limit=1, window="day")
ALL = rules({"concurrent_calls": 2, "name": "two"}, {"tokens_per_day": 10**6, "name": "tokens"}, budgets=[BUDGET])
RESERVED = 100 * 150 + 100 * 600

Tills = Callable[..., Till]


@pytest.fixture
def till(tmp_path: Path) -> Tills:
    def open_till(**options: Any) -> Till:
        return Till(tmp_path, ALL, **options)

    return open_till


def journals(folder: Path) -> list[bytes]:
    """What the journal's files hold now, oldest first."""
    found = sorted((folder / "journal").glob("*.jsonl"), key=lambda path: path.stat().st_mtime_ns)
    return [path.read_bytes().rstrip(b"\0") for path in found]


def found_missing(folder: Path) -> list[Recovered]:
    """What a recovery enters in the log."""
    return [call for call in recover(folder / "journal", log_file(folder), 1.7e9) if call.entered]


def test_a_reservation_is_on_disk_before_its_call_and_counts_against_its_budget(till: Tills, tmp_path: Path) -> None:
    open_till = till()
    call = open_till.admit(a_call(7, tags={"feature": "x"}, user="ann", key_id="k"))
    (content,) = journals(tmp_path)
    assert call.request_id.encode() in content and b'"nanousd":75000' in content and b'"feature":"x"' in content
    assert b"x" * 50 not in content, "nothing of the text"
    assert (open_till.ledger.open, open_till.used(SPENT, TOKENS)) == (1, [RESERVED, 200])


ENDS: list[tuple[dict[str, Any], int, int, str]] = [
    ({"reply": answer(10, 20)}, 10 * 150 + 20 * 600, 30, "provider"),
    ({"reply": answer(500, 2000)}, 500 * 150 + 2000 * 600, 2500, "provider"),
    ({"reply": answer(0, 0)}, 0, 0, "provider"),
    ({"reply": uncounted(80), "error": ClientDisconnected("left")}, 100 * 150 + 20 * 600, 120, "estimated"),
    ({"reply": uncounted(8000)}, 100 * 150 + 2000 * 600, 2100, "estimated"),
    ({"error": UpstreamTimeout("late")}, RESERVED, 200, "estimated"),
    ({"error": ClientDisconnected("left")}, RESERVED, 200, "estimated"),
    ({"error": UpstreamUnreachable("nobody")}, 0, 0, "none"),
    ({"error": UpstreamRejected("no", upstream_status=400)}, 0, 0, "none"),
    ({"error": InvalidRequest("no")}, 0, 0, "none"),
    ({"reply": answer(10, 20, cached=True)}, 0, 0, "none"),
    ({"reply": Reply(outcome=Outcome(usage=Usage(prompt=-5, completion=10**40)))}, 100 * 150, 100, "estimated"),
]


@pytest.mark.parametrize(("end", "cost", "tokens", "source"), ENDS)
def test_it_is_settled_at_what_the_call_used(
    end: dict[str, Any], cost: int, tokens: int, source: str, till: Tills, tmp_path: Path
) -> None:
    open_till = till()
    open_till.end(open_till.admit(a_call()), **end)
    open_till.log.write()
    (record,) = logged(tmp_path)
    assert (record["cost_nanousd"], record["reserved_nanousd"]) == (cost, RESERVED)
    assert (record["token_usage"]["total"], record["token_usage"]["source"]) == (tokens, source)
    assert (open_till.ledger.open, open_till.used(SPENT, TOKENS)) == (0, [cost, tokens])
    assert open_till.admit(a_call(2)) and open_till.admit(a_call(3)), "no place among concurrent calls is lost"


def test_a_model_without_a_price_is_unpriced_and_never_free(till: Tills, tmp_path: Path) -> None:
    open_till = till()
    open_till.end(open_till.admit(a_call(asks_for="nobody-knows"), [UNPRICED]), reply=answer(10, 20))
    open_till.log.write()
    (record,) = logged(tmp_path)
    assert record["cost_nanousd"] is None and record["reserved_nanousd"] is None
    assert record["token_usage"]["total"] == 30
    assert open_till.used(SPENT, TOKENS) == [0, 30]


def test_reserved_at_the_dearest_settled_where_it_went(till: Tills, tmp_path: Path) -> None:
    open_till = till()
    call = open_till.admit(a_call(), [UNPRICED, PRICED])
    open_till.end(call, reply=answer(10, 20))
    open_till.log.write()
    (record,) = logged(tmp_path)
    assert (record["cost_nanousd"], record["reserved_nanousd"]) == (None, RESERVED)
    assert open_till.used(SPENT) == [0], "what was held is given back"


def test_a_call_that_ends_twice_is_charged_once(till: Tills) -> None:
    open_till = till()
    call = open_till.admit(a_call())
    open_till.end(call, reply=answer(10, 20))
    assert open_till.end(call, reply=answer(10, 20)).charge is None
    assert open_till.used(SPENT) == [13_500]


def test_what_was_never_reserved_is_recorded_and_not_charged(till: Tills, tmp_path: Path) -> None:
    open_till = till()
    open_till.end(a_call(), error=InvalidRequest("no"))
    open_till.ledger.append(refused(2))
    assert isinstance(refused(2), RefusedRequest)
    open_till.log.write()
    assert [(line["status"], line["cost_nanousd"]) for line in logged(tmp_path)] == [(400, 0), (400, 0)]


def test_answers_teach_how_long_they_are(till: Tills) -> None:
    open_till = till()
    for number in range(20):
        open_till.end(open_till.admit(a_call(number, choices=2)), reply=answer(10, 14))
    assert open_till.lengths.estimate("m") == 7, "each choice is an answer of its own"
    for number in range(40):
        open_till.end(open_till.admit(a_call(number)), reply=uncounted(4000))
    assert open_till.lengths.estimate("m") == 7, "a guess teaches nothing"


def test_limits_that_were_over_are_in_the_record(tmp_path: Path) -> None:
    shadow = {"tokens_per_day": 150, "shadow": True, "name": "shadow"}
    soft = {"usd": "0.000001", "hard": False, "name": "soft"}
    open_till = Till(tmp_path, rules(shadow, budgets=[soft, BUDGET]))
    open_till.end(open_till.admit(a_call()), reply=answer(10, 20))
    open_till.log.write()
    assert logged(tmp_path)[0]["limits_over"] == ["shadow", "soft"]


# --- defects of ours lose neither a record nor a hold -----------------------------------------------------------------


class BrokenPrice:
    def __init__(self, when: str) -> None:
        self.when = when

    def find(self, deployment: Deployment, requested_model: str, at_s: float) -> "BrokenPrice":
        return self

    def estimate(self, prompt_tokens: int, completion_tokens: int) -> int:
        return 7

    def cost(self, usage: Usage) -> int:
        raise ArithmeticError("a price that is none")


def test_a_price_that_fails_charges_the_estimate(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    open_till = Till(tmp_path, ALL, prices=BrokenPrice("cost"))
    open_till.end(open_till.admit(a_call()), reply=answer(10, 20))
    open_till.log.write()
    (record,) = logged(tmp_path)
    assert (record["cost_nanousd"], record["token_usage"]["source"]) == (7, "estimated")
    assert "cannot be billed" in caplog.text and "a price that is none" in caplog.text
    assert open_till.used(SPENT) == [7] and open_till.admit(a_call(2)) and open_till.admit(a_call(3))


def test_a_reservation_that_cannot_even_be_encoded_holds_nothing(till: Tills) -> None:
    open_till = till()
    for _ in range(3):
        with pytest.raises(UnicodeEncodeError):
            open_till.admit(a_call(asks_for="\ud800"))
    assert (open_till.ledger.open, open_till.used(SPENT, TOKENS)) == (0, [0, 0])
    assert open_till.admit(a_call(2)) and open_till.admit(a_call(3))


# --- a disk that is full ----------------------------------------------------------------------------------------------

NO_ROOM = 2**62


def test_a_full_disk_refuses_calls_where_they_are_to_be_refused(till: Tills) -> None:
    open_till = till(room_bytes=NO_ROOM, when_unwritable="refuse")
    for number in range(3):
        with pytest.raises(StoreUnavailable, match="could not be accounted for; try again later") as caught:
            open_till.admit(a_call(number))
        assert caught.value.status == 503
    assert open_till.ledger.unwritable and (open_till.ledger.open, open_till.used(SPENT, TOKENS)) == (0, [0, 0])


def test_a_full_disk_lets_calls_pass_by_default_and_counts_them(
    till: Tills, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    open_till = till(room_bytes=NO_ROOM)
    for number in range(3):
        open_till.end(open_till.admit(a_call(number)), reply=answer(10, 20))
    assert (open_till.ledger.unwritten, open_till.used(SPENT)) == (3, [3 * 13_500])
    open_till.log.write()
    assert [line["cost_nanousd"] for line in logged(tmp_path)] == [13_500] * 3
    assert caplog.text.count("journal cannot be written") == 1, "said once, not for every call"


def test_it_is_tried_again_after_a_second_and_then_holds_what_is_open(till: Tills, tmp_path: Path) -> None:
    open_till = till(room_bytes=65_536)
    blocked = tmp_path / "journal"
    blocked.write_text("in the way")
    call = open_till.admit(a_call(1))
    assert open_till.ledger.unwritable is not None and str(errno.ENOTDIR) + "" is not None
    blocked.unlink()
    open_till.admit(a_call(2))
    assert open_till.ledger.unwritable is not None, "a disk that refuses is not asked for every call"
    open_till.clock.advance(1.0)
    open_till.end(call, reply=answer(1, 1))
    open_till.admit(a_call(3))
    assert open_till.ledger.unwritable is None
    open_till.die()
    found = found_missing(tmp_path)
    assert sorted(each.request_id[-1] for each in found) == ["1", "2", "3"]


def test_without_a_journal_nothing_is_written_and_all_is_counted(till: Tills, tmp_path: Path) -> None:
    open_till = till(enabled=False, room_bytes=NO_ROOM, when_unwritable="refuse")
    open_till.end(open_till.admit(a_call()), reply=answer(10, 20))
    open_till.log.write()
    assert not (tmp_path / "journal").exists() and open_till.used(SPENT) == [13_500]


# --- roll-over --------------------------------------------------------------------------------------------------------


def test_a_new_journal_begins_with_what_is_open(till: Tills, tmp_path: Path) -> None:
    open_till = till(room_bytes=3000)
    first = open_till.admit(a_call(1))
    number = 1
    while len(journals(tmp_path)) < 3:
        number += 1
        open_till.end(open_till.admit(a_call(number)), reply=answer(1, 1))
    assert all(first.request_id.encode() in content for content in journals(tmp_path))
    open_till.log.write()
    open_till.ledger.tidy()
    (content,) = journals(tmp_path)
    assert content.count(first.request_id.encode()) == 1, "the old ones go when the log has caught up"


def test_an_old_journal_stays_until_the_log_has_caught_up(till: Tills, tmp_path: Path) -> None:
    open_till = till(room_bytes=3000)
    number = 0
    while len(journals(tmp_path)) < 2:
        number += 1
        open_till.end(open_till.admit(a_call(number)), reply=answer(1, 1))
    open_till.ledger.tidy()
    assert len(journals(tmp_path)) == 2
    for _ in range(open_till.log.waiting - 1):
        open_till.log.write(1)
        open_till.ledger.tidy()
    open_till.log.write()
    open_till.ledger.tidy()
    assert len(journals(tmp_path)) == 1


@pytest.mark.parametrize("rolls_before", [0, 1, 2])
@pytest.mark.parametrize("rolls_after", [0, 1, 3])
def test_lines_that_the_log_has_lost_are_kept_for_the_next_start(
    rolls_before: int, rolls_after: int, till: Tills, tmp_path: Path
) -> None:
    open_till = till(room_bytes=3000)
    number = 0

    def roll(times: int) -> None:
        nonlocal number
        wanted = len(seen | {path.name for path in (tmp_path / "journal").iterdir()}) + times
        while len(seen) < wanted:
            number += 1
            open_till.end(open_till.admit(a_call(number)), reply=answer(1, 1))
            open_till.log.write()
            open_till.ledger.tidy()
            seen.update(path.name for path in (tmp_path / "journal").iterdir())

    seen: set[str] = set()
    long = open_till.admit(a_call(10**6))
    roll(rolls_before)
    number += 1
    lost = open_till.admit(a_call(number))
    open_till.end(lost, reply=answer(1, 1))
    open_till.log.drop()
    roll(rolls_after)
    assert found_missing(tmp_path) == [], "the process lives: its calls are its own"
    open_till.end(long, reply=answer(2, 2))
    roll(1)
    assert len(list((tmp_path / "journal").glob("*.jsonl"))) <= 3 + rolls_before, "and no more than needed"
    open_till.log.write()
    open_till.log.file.close()
    open_till.ledger.close()
    assert [each.request_id for each in found_missing(tmp_path)] == [lost.request_id]
    lines = logged(tmp_path)
    assert len(lines) == len({line["request_id"] for line in lines}) == number + 1
    assert not any(line["recovered"] for line in lines), "what was seen is charged, not the estimate"


# --- the end ----------------------------------------------------------------------------------------------------------


def test_an_orderly_end_leaves_no_journal(till: Tills, tmp_path: Path) -> None:
    open_till = till()
    open_till.end(open_till.admit(a_call()), reply=answer(1, 1))
    open_till.log.write()
    open_till.ledger.close()
    assert list((tmp_path / "journal").iterdir()) == []


@pytest.mark.parametrize("how", ["open", "waiting", "dropped"])
def test_an_end_with_something_unwritten_leaves_it_for_the_next_start(how: str, till: Tills, tmp_path: Path) -> None:
    open_till = till()
    call = open_till.admit(a_call())
    if how != "open":
        open_till.end(call, reply=answer(1, 1))
    if how == "dropped":
        open_till.log.drop()
    open_till.ledger.close()
    found = found_missing(tmp_path)
    assert [each.nanousd for each in found] == [RESERVED if how == "open" else 750]


def test_a_call_that_ends_after_the_close_is_found_at_the_next_start(till: Tills, tmp_path: Path) -> None:
    open_till = till()
    call = open_till.admit(a_call())
    open_till.ledger.close()
    open_till.end(call, reply=answer(1, 1))
    open_till.ledger.close()
    found = found_missing(tmp_path)
    assert [each.nanousd for each in found] == [750]


def test_a_reload_changes_the_price_of_calls_under_way_and_frees_their_holds(till: Tills) -> None:
    open_till = till()
    one, two = open_till.admit(a_call(1)), open_till.admit(a_call(2))
    open_till.rules.replace([])
    open_till.end(one, reply=answer(10, 20))
    open_till.rules.replace(ALL)
    open_till.end(two, reply=answer(10, 20))
    assert open_till.used(SPENT) == [2 * 13_500]
    assert open_till.admit(a_call(3)) and open_till.admit(a_call(4))


def test_the_ledger_settles_each_hold_once(tmp_path: Path) -> None:
    """Whatever the end: the counters hear of a hold exactly once."""

    class Counting:
        def __init__(self) -> None:
            self.settled: list[str] = []

        def reserve(self, request_id: str, meters: Any, amounts: Any) -> Hold:
            return Hold(request_id=request_id, meters=meters, amounts=amounts, windows=(0, 0, 0, 0))

        def settle(self, hold: Hold, tokens: int, nanousd: int) -> None:
            self.settled.append(hold.request_id)

    open_till, counters = Till(tmp_path), Counting()
    ledger = Ledger(
        open_till.log,
        open_till.journal,
        counters=counters,
        prices=open_till.ledger.prices,
        lengths=open_till.lengths,
        clock=open_till.clock,
    )
    meters = (Concurrency(name="c", rule="c", limit=1),)
    ends: list[tuple[Reply | None, LLMOpsError | None]] = [(end.get("reply"), end.get("error")) for end, *_ in ENDS]
    for number, (reply, error) in enumerate(ends):
        call = a_call(number, deployment=PRICED, attempts=1)
        estimate = open_till.admission._estimator.estimate(call, [PRICED])
        ledger.reserve(call, counters.reserve(call.request_id, meters, (1, 1, 1)), estimate)
        open_till.ledger = ledger
        open_till.end(call, reply=reply, error=error)
    assert counters.settled == [a_call(number).request_id for number in range(len(ENDS))]
