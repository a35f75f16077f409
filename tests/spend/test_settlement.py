"""What is charged for each way a call can end."""

from typing import Any

import pytest

from llmops.errors import (
    BudgetExceeded,
    ClientDisconnected,
    Forbidden,
    InternalError,
    InvalidRequest,
    LimitReached,
    LLMOpsError,
    StoreUnavailable,
    UnknownModel,
    UpstreamBroken,
    UpstreamCredential,
    UpstreamRateLimited,
    UpstreamRejected,
    UpstreamTimeout,
    UpstreamUnavailable,
    UpstreamUnreachable,
)
from llmops.providers.transport import ConnectTimeout
from llmops.spend.estimate import Estimate
from llmops.spend.settlement import fate_is_unknown, used
from llmops.telemetry.record import FinishedCall
from llmops.types import NO_USAGE, FailedAttempt, Outcome, Reply, Usage
from tests.spend.till import a_call, answer, uncounted

ESTIMATE = Estimate(100, 50, 45_000)
ESTIMATED = Usage(prompt=100, completion=50, source="estimated")


def ended(*, reply: Reply | None = None, error: LLMOpsError | None = None, attempts: int = 1) -> Usage:
    call = a_call(attempts=attempts)
    return used(FinishedCall(call=call, reply=reply, error=error, ended_s=1.0), ESTIMATE)


def test_what_the_provider_counted() -> None:
    assert ended(reply=answer(7, 5)) == Usage(prompt=7, completion=5)
    assert ended(reply=answer(7, 5), error=ClientDisconnected("left at the end")) == Usage(prompt=7, completion=5)


@pytest.mark.parametrize("error", [None, ClientDisconnected("left"), UpstreamBroken("cut"), UpstreamTimeout("slow")])
def test_what_was_seen_where_the_provider_counted_nothing(error: LLMOpsError | None) -> None:
    assert ended(reply=uncounted(400), error=error) == Usage(prompt=100, completion=100, source="estimated")


def test_a_cut_stream_that_has_reported_a_part_is_never_charged_less_than_was_seen() -> None:
    partly = Usage(prompt=90, completion=1, cached=40, source="estimated")
    reply = Reply(outcome=Outcome(usage=partly, output_chars=4000))
    assert ended(reply=reply, error=ClientDisconnected("left")) == Usage(
        prompt=90, completion=1000, cached=40, source="estimated"
    )


@pytest.mark.parametrize(
    "absurd",
    [
        Usage(prompt=-1, completion=5),
        Usage(prompt=5, completion=-1),
        Usage(prompt=5, completion=5, cached=-3),
        Usage(prompt=2**63, completion=5),
        Usage(prompt=5, completion=10**30),
        Usage(prompt=5, completion=5, reasoning=10**30),
    ],
)
def test_a_count_that_cannot_be_is_none(absurd: Usage) -> None:
    reply = Reply(outcome=Outcome(usage=absurd, output_chars=40))
    assert ended(reply=reply) == Usage(prompt=100, completion=10, source="estimated")


def test_an_answer_from_the_cache_is_free() -> None:
    assert ended(reply=answer(7, 5, cached=True)).total == 0


@pytest.mark.parametrize(
    "error", [ClientDisconnected("left"), UpstreamTimeout("late"), UpstreamBroken("garbage"), InternalError("bug")]
)
def test_the_estimate_where_nobody_knows_what_became_of_the_call(error: LLMOpsError) -> None:
    assert ended(error=error) == ESTIMATED
    assert ended(error=error, attempts=0) == NO_USAGE, "it was never sent"


@pytest.mark.parametrize(
    "error",
    [
        UpstreamUnreachable("no connection"),
        UpstreamUnavailable("503"),
        UpstreamRateLimited("429"),
        UpstreamCredential("401"),
        UpstreamRejected("bad", upstream_status=400),
        LimitReached("over"),
        BudgetExceeded("over"),
        InvalidRequest("no"),
        UnknownModel("no"),
        Forbidden("no"),
        StoreUnavailable("down"),
    ],
)
def test_nothing_for_what_nobody_worked_on(error: LLMOpsError) -> None:
    assert ended(error=error) == NO_USAGE


def test_what_earlier_attempts_used_is_charged_whatever_became_of_the_last() -> None:
    spent = Usage(prompt=30, completion=20, cached=10)

    def last(error: LLMOpsError) -> Usage:
        return used(FinishedCall(call=a_call(attempts=2, spent=spent), error=error, ended_s=1.0), ESTIMATE)

    assert last(UpstreamUnavailable("503")) == spent
    assert last(UpstreamTimeout("late")) == Usage(prompt=130, completion=70, cached=10, source="estimated")


# --- attempts that failed on the way ----------------------------------------------------------------------------


def attempt(number: int, *, in_doubt: bool) -> FailedAttempt:
    return FailedAttempt(number=number, deployment="d", error_type="x", status=None, latency_s=1.0, in_doubt=in_doubt)


def after(*doubts: bool, more: int = 1, **end: Any) -> Usage:
    """The usage of a call whose first attempts failed so, and that made ``more`` after them."""
    failed = tuple(attempt(number, in_doubt=doubt) for number, doubt in enumerate(doubts, 1))
    call = a_call(attempts=len(doubts) + more, failed=failed)
    return used(FinishedCall(call=call, ended_s=1.0, **end), ESTIMATE)


def test_an_attempt_of_unknown_fate_costs_its_prompt_once_also_where_another_succeeded() -> None:
    assert after(False, False, reply=answer(7, 5)) == Usage(prompt=7, completion=5)
    assert after(True, False, True, reply=answer(7, 5)) == Usage(prompt=207, completion=5, source="estimated")


def test_the_last_attempt_is_charged_as_ever_and_not_twice() -> None:
    late = UpstreamTimeout("late")
    assert after(True, more=0, error=late) == ESTIMATED
    assert after(True, True, more=0, error=late) == Usage(prompt=200, completion=50, source="estimated")
    refused = UpstreamUnavailable("503", upstream_status=503)
    assert after(True, False, more=0, error=refused) == Usage(prompt=100, source="estimated")


def test_a_caller_that_leaves_between_attempts_leaves_nothing_under_way() -> None:
    left = ClientDisconnected("left")
    assert after(False, more=0, error=left) == NO_USAGE
    assert after(False, more=1, error=left) == ESTIMATED
    assert after(True, more=1, error=left) == Usage(prompt=200, completion=50, source="estimated")


@pytest.mark.parametrize(
    ("error", "in_doubt"),
    [
        (UpstreamTimeout("silence"), True),
        (UpstreamBroken("cut"), True),
        (UpstreamBroken("garbage", upstream_status=200), True),
        (UpstreamTimeout("said so", upstream_status=504), False),
        (UpstreamBroken("redirect", upstream_status=307), False),
        (ConnectTimeout("no connection"), False),
        (UpstreamUnreachable("no connection"), False),
        (UpstreamUnavailable("an error in its stream", upstream_status=200), False),
        (UpstreamRateLimited("429", upstream_status=429), False),
        (None, False),
    ],
)
def test_the_fate_of_what_was_sent_and_not_refused_is_unknown(error: LLMOpsError | None, in_doubt: bool) -> None:
    assert fate_is_unknown(error) is in_doubt


def test_counting_tokens_is_free() -> None:
    call = a_call(operation="count_tokens", attempts=1)
    assert used(FinishedCall(call=call, reply=answer(7, 0), ended_s=1.0), Estimate(0, 0, 0)).total == 0
    late = FinishedCall(call=call, error=UpstreamTimeout("late"), ended_s=1.0)
    assert used(late, Estimate(0, 0, 0)) == NO_USAGE
