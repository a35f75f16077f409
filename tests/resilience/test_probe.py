"""Which deployment is probed: never one that is not due, never more than the budget, and nobody for ever left out."""

from hypothesis import given
from hypothesis import strategies as st

from llmops.resilience.probe import ProbePlan, ProbeRules

NAMES = ("a", "b", "c")


@given(
    looks=st.lists(st.tuples(st.floats(0, 1500), st.sets(st.sampled_from(NAMES))), max_size=80),
    per_hour=st.integers(1, 6),
)
def test_the_budget_holds_in_any_hour(looks: list[tuple[float, set[str]]], per_hour: int) -> None:
    plan, rules, now_s = ProbePlan(), ProbeRules(enabled=True, per_hour=per_hour), 0.0
    sent: list[float] = []
    for pause_s, due in looks:
        now_s += pause_s
        chosen = plan.choose(due, rules, now_s)
        if chosen is not None:
            assert chosen in due
            sent.append(now_s)
        else:
            assert not due or len([moment for moment in sent if now_s - moment < 3600]) == per_hour
    for end_s in sent:
        assert len([moment for moment in sent if 0 <= end_s - moment < 3600]) <= per_hour


def test_everybody_gets_a_turn() -> None:
    plan, rules = ProbePlan(), ProbeRules(enabled=True, per_hour=100)
    assert [plan.choose(NAMES, rules, float(second)) for second in range(6)] == list("abcabc")


def test_off_means_off() -> None:
    assert ProbePlan().choose(NAMES, ProbeRules(), 0.0) is None


def test_the_budget_outlives_a_change_of_the_rules() -> None:
    plan = ProbePlan()
    assert plan.choose("a", ProbeRules(enabled=True, per_hour=1), 0.0) == "a"
    assert plan.choose("a", ProbeRules(enabled=True, per_hour=1, timeout_s=1.0), 3599.0) is None
    assert plan.choose("a", ProbeRules(enabled=True, per_hour=1), 3600.0) == "a"
