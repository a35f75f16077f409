"""Failures: every error of the tree, and what it says about repeating and about health."""

import pytest

from llmops import errors
from llmops.resilience.failure import Attempt, Failure, failure_of, told


def upstream(kind: type[errors.UpstreamError], status: int | None) -> errors.UpstreamError:
    return kind("it said no", upstream_status=status)


@pytest.mark.parametrize(
    ("error", "kind", "here", "elsewhere", "ill"),
    [
        (upstream(errors.UpstreamUnreachable, None), "transient", True, True, True),
        (upstream(errors.UpstreamBroken, 200), "transient", True, True, True),
        (upstream(errors.UpstreamUnavailable, 500), "transient", True, True, True),
        (upstream(errors.UpstreamUnavailable, 502), "transient", True, True, True),
        (upstream(errors.UpstreamUnavailable, 503), "overloaded", True, True, True),
        (upstream(errors.UpstreamUnavailable, 529), "overloaded", True, True, True),
        (upstream(errors.UpstreamUnavailable, 200), "overloaded", True, True, True),
        (upstream(errors.UpstreamTimeout, None), "timeout", True, True, True),
        (upstream(errors.UpstreamTimeout, 504), "timeout", True, True, True),
        (upstream(errors.UpstreamRateLimited, 429), "throttled", True, True, False),
        (upstream(errors.UpstreamCredential, 401), "credential", False, True, False),
        (errors.UpstreamRejected("no", upstream_status=409), "conflict", True, True, False),
        (errors.UpstreamRejected("no", upstream_status=400), "rejected", False, False, False),
        (errors.UpstreamRejected("no", upstream_status=404), "rejected", False, False, False),
        (errors.UnsupportedParameter("no"), "incapable", False, True, False),
        (errors.InvalidRequest("no"), "rejected", False, False, False),
        (errors.BudgetExceeded("no"), "rejected", False, False, False),
        (errors.LimitReached("no"), "rejected", False, False, False),
        (errors.Draining("no"), "rejected", False, False, False),
        (ValueError("no"), "defect", False, False, False),
    ],
)
def test_each_error(error: Exception, kind: str, here: bool, elsewhere: bool, ill: bool) -> None:
    failure = failure_of(error)
    assert failure.kind == kind
    seen = failure.may_repeat_here, failure.may_repeat_elsewhere, failure.is_ill_health
    assert seen == (here, elsewhere, ill)


def test_a_callers_impatience_is_not_the_deployments_fault() -> None:
    assert failure_of(errors.UpstreamTimeout("late"), shortened=True).kind == "impatient"
    assert not failure_of(errors.UpstreamTimeout("late"), shortened=True).is_ill_health
    assert failure_of(errors.UpstreamTimeout("late", upstream_status=504), shortened=True).kind == "timeout"


def test_what_a_defect_says_stays_inside() -> None:
    assert "secret" not in failure_of(ValueError("secret")).message


def test_the_caller_is_told_which_were_tried_and_why_each_failed() -> None:
    attempts = [
        Attempt("eu", Failure(kind="timeout", message="no answer within 2 s")),
        Attempt("us", Failure(kind="transient", message="no connection" + "!" * 5000)),
    ]
    assert told(attempts).startswith("'eu' failed: no answer within 2 s; then 'us' failed: no connection!")
    assert len(told(attempts)) < 300
    assert told([]) == "no deployment was tried"
