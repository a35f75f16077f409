"""Records on their way: whatever a tool answers, each ends in one count, and what was taken is not sent again."""

from hypothesis import given
from hypothesis import strategies as st

from llmops.telemetry.export.delivery import MOST_FAILURES, MOST_HALVINGS, Delivery
from llmops.telemetry.export.sent import Sent, judged, pause_s

ANSWERS = st.builds(
    Sent,
    st.sampled_from(["taken", "again", "failed", "smaller", "refused"]),
    refused=st.integers(-2, 20),
    why=st.sampled_from(["", "a", "b"]),
)


@given(st.integers(0, 40), st.integers(1, 9), st.lists(ANSWERS, max_size=200), st.booleans())
def test_whatever_is_answered_every_record_ends_in_one_count(
    count: int, size: int, answers: list[Sent], gives_up: bool
) -> None:
    delivery = Delivery(list(range(count)), size)
    taken: list[int] = []
    for answer in answers:
        part = delivery.next_part()
        if part is None:
            break
        assert 0 < len(part) <= size
        if delivery.answered(answer) and answer.verdict == "taken":
            taken += part
        assert delivery.counts.produced + delivery.left == count
    if gives_up:
        delivery.drop("too old")
        assert delivery.left == 0 and delivery.counts.produced == count
    assert len(taken) == len(set(taken)), "what was taken is not sent again"
    assert delivery.counts.delivered <= len(taken)


@given(st.integers(1, 300), st.sets(st.integers(0, 299), max_size=4))
def test_what_a_tool_cannot_stand_does_not_take_others_with_it(count: int, bad: set[int]) -> None:
    delivery = Delivery(list(range(count)), 100)
    asked = 0
    while (part := delivery.next_part()) is not None:
        asked += 1
        delivery.answered(Sent("smaller", why="HTTP 400") if bad & set(part) else Sent("taken"))
    refused = sum(delivery.counts.refused.values())
    assert refused == len({each for each in bad if each < count})
    assert delivery.counts.delivered == count - refused


def test_a_tool_that_refuses_everything_is_not_asked_for_ever() -> None:
    delivery = Delivery(list(range(10_000)), 500)
    asked = 0
    while delivery.next_part() is not None:
        asked += 1
        delivery.answered(Sent("smaller", why="HTTP 400"))
    assert asked <= 2 * MOST_HALVINGS + 20 and delivery.counts.refused == {"HTTP 400": 10_000}


def test_what_fails_inside_the_tool_is_tried_a_few_times_and_then_refused() -> None:
    delivery = Delivery([1, 2], 2)
    tried = [delivery.answered(Sent("failed", why="HTTP 500")) for _ in range(MOST_FAILURES)]
    assert tried == [False] * (MOST_FAILURES - 1) + [True] and delivery.counts.refused == {"HTTP 500": 2}


def test_reasons_that_are_different_every_time_are_bounded() -> None:
    delivery = Delivery(list(range(100)), 1)
    for number in range(100):
        delivery.answered(Sent("refused", why=f"HTTP 400: request {number}"))
    assert len(delivery.counts.refused) == 21 and delivery.counts.refused["other reasons"] == 80


def test_the_meaning_of_answers() -> None:
    verdicts = {
        status: judged(status, None, "").verdict for status in (301, 400, 401, 403, 404, 413, 422, 429, 500, 503)
    }
    assert verdicts == {
        **dict.fromkeys((301, 401, 403, 404, 429, 503), "again"),
        **dict.fromkeys((400, 413, 422), "smaller"),
        500: "failed",
    }
    assert judged(429, "7", "").retry_after_s == 7
    for odd in ("soon", "-1", "nan", "inf", "1e999", "Fri, 31 Dec 1999 23:59:59 GMT", "\u0667"):
        assert judged(503, odd, "").retry_after_s is None, odd


@given(st.integers(1, 10_000), st.none() | st.floats(0, 1e9), st.floats(0, 1, exclude_max=True))
def test_pauses_grow_and_end(failures: int, after_s: float | None, luck: float) -> None:
    found = pause_s(failures, after_s, luck)
    assert 0.5 <= found <= 90
    assert found >= min(after_s or 0, 60)
