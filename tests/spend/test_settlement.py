"""What is charged for each way a call can end."""

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
from llmops.spend.estimate import Estimate
from llmops.spend.settlement import used
from llmops.telemetry.record import FinishedCall
from llmops.types import NO_USAGE, Outcome, Reply, Usage
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


def test_counting_tokens_is_free() -> None:
    call = a_call(operation="count_tokens", attempts=1)
    assert used(FinishedCall(call=call, reply=answer(7, 0), ended_s=1.0), Estimate(0, 0, 0)).total == 0
    late = FinishedCall(call=call, error=UpstreamTimeout("late"), ended_s=1.0)
    assert used(late, Estimate(0, 0, 0)) == NO_USAGE
