"""Deadlines: what callers may ask for, what is left of it, and what that makes of an attempt's limits."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from llmops.errors import InvalidRequest
from llmops.resilience.deadline import LEAST_S, NO_WISH, Deadline, Limits, Wish, read_wish

TOTAL, GRPC = b"x-request-timeout-ms", b"grpc-timeout"
STAGE, STAGE_LIMIT = b"x-llmops-stage", b"x-llmops-stage-timeout-ms"


@pytest.mark.parametrize(
    ("headers", "wish"),
    [
        ({}, NO_WISH),
        ({b"accept": b"*/*"}, NO_WISH),
        ({TOTAL: b"2500"}, Wish(2.5)),
        ({TOTAL: b"0.5"}, Wish(0.0005)),
        ({TOTAL: b"3600000"}, Wish(3600.0)),
        ({GRPC: b"200m"}, Wish(0.2)),
        ({GRPC: b"1H"}, Wish(3600.0)),
        ({GRPC: b"5S", TOTAL: b"4000"}, Wish(4.0)),
        ({GRPC: b"3S", TOTAL: b"4000"}, Wish(3.0)),
        ({STAGE: b"retrieval", STAGE_LIMIT: b"2000"}, Wish(None, "retrieval", 2.0)),
        ({STAGE: b"grading", STAGE_LIMIT: b"100", TOTAL: b"9000"}, Wish(9.0, "grading", 0.1)),
    ],
)
def test_what_callers_may_ask_for(headers: dict[bytes, bytes], wish: Wish) -> None:
    assert read_wish(headers) == wish


@pytest.mark.parametrize(
    ("headers", "told"),
    [
        ({TOTAL: b"-1"}, "'-1'"),
        ({TOTAL: b"0"}, "more than nothing"),
        ({TOTAL: b"0.0"}, "more than nothing"),
        ({TOTAL: b""}, "''"),
        ({TOTAL: b"soon"}, "e.g. 30000"),
        ({TOTAL: b"nan"}, "'nan'"),
        ({TOTAL: b"inf"}, "'inf'"),
        ({TOTAL: b"1e3"}, "'1e3'"),
        ({TOTAL: b" 5"}, "' 5'"),
        ({TOTAL: b"5\n"}, "milliseconds"),
        ({TOTAL: "\u0665".encode()}, "milliseconds"),
        ({TOTAL: b"3600001"}, "at most 3600 seconds"),
        ({TOTAL: b"9" * 5000}, "milliseconds"),
        ({GRPC: b"5"}, "30S"),
        ({GRPC: b"123456789S"}, "30S"),
        ({GRPC: b"0m"}, "more than nothing"),
        ({GRPC: b"2H"}, "at most"),
        ({STAGE: b"retrieval"}, "x-llmops-stage-timeout-ms is missing"),
        ({STAGE_LIMIT: b"5"}, "x-llmops-stage is missing"),
        ({STAGE: b"A stage!", STAGE_LIMIT: b"5"}, "'A stage!'"),
        ({STAGE: b"retrieval", STAGE_LIMIT: b"-5"}, "'-5'"),
    ],
)
def test_what_cannot_be_meant_is_refused_in_clear_words(headers: dict[bytes, bytes], told: str) -> None:
    with pytest.raises(InvalidRequest) as caught:
        read_wish(headers)
    assert told in caught.value.message and len(caught.value.message) < 250
    assert caught.value.param in {name.decode() for name in (TOTAL, GRPC, STAGE, STAGE_LIMIT)}


@given(st.dictionaries(st.sampled_from([TOTAL, GRPC, STAGE, STAGE_LIMIT]), st.binary(max_size=20)))
def test_no_header_can_break_the_reading(headers: dict[bytes, bytes]) -> None:
    try:
        wish = read_wish(headers)
    except InvalidRequest:
        return
    assert all(seconds is None or 0 < seconds <= 3600 for seconds in (wish.total_s, wish.stage_s))


def test_the_earliest_of_all_counts() -> None:
    assert Deadline.after(100.0, 120.0, None, 30.0) == Deadline(130.0)
    assert Deadline.after(100.0, 120.0, wish=Wish(7.0)) == Deadline(107.0)
    assert Deadline.after(100.0, 5.0, wish=Wish(7.0)) == Deadline(105.0)


def test_a_stage_has_its_own_limit_and_at_most_the_rest_of_the_whole() -> None:
    whole = Deadline.after(0.0, 10.0)
    assert whole.within("retrieval", 2.0, 1.0) == Deadline(3.0, "retrieval")
    assert whole.within("generation", 8.0, 5.0) == whole
    assert Deadline.after(0.0, 10.0, wish=Wish(None, "grading", 1.0)).shown() == "the time for the stage 'grading'"


def test_what_is_left_shortens_an_attempt_and_says_so() -> None:
    own = Limits(connect_s=5, first_byte_s=60, idle_s=30, total_s=120)
    deadline = Deadline(100.0)
    assert deadline.limits(own, -20.0) is None, "its own are shorter already"
    assert deadline.limits(own, 80.0) == Limits(connect_s=5, first_byte_s=20, idle_s=20, total_s=20, shortened=True)
    spent = deadline.limits(own, 200.0)
    assert spent is not None and spent.total_s == 0.0


def test_a_first_byte_that_is_late_by_the_deployments_own_limit_is_not_the_callers_impatience() -> None:
    own = Limits(first_byte_s=60, total_s=120)
    patient, impatient = Deadline(119.9).limits(own, 0.0), Deadline(20.0).limits(own, 0.0)
    assert patient is not None and not patient.ended(60.0) and patient.ended(119.9)
    assert impatient is not None and impatient.ended(20.0) and not impatient.ended(5.0), "no connection in 5 s"
    assert not own.ended(120.0)


def test_with_less_than_fifty_milliseconds_nothing_is_begun() -> None:
    deadline = Deadline(10.0)
    assert not deadline.is_spent(10.0 - LEAST_S - 0.001) and deadline.is_spent(10.0 - LEAST_S + 0.001)
    assert deadline.is_spent(11.0) and deadline.remaining_s(11.0) == 0.0


def test_what_is_left_is_sent_on_rounded_down() -> None:
    assert Deadline(10.0).header(8.7654) == b"1234" and Deadline(10.0).header(11.0) == b"0"
