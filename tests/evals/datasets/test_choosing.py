"""Splits and samples: the same for the same seed, by unit, whatever else is there."""

from collections import Counter

import pytest

from llmops.errors import InvalidRequest
from llmops.evals.case import Case
from llmops.evals.datasets.sampling import sampled
from llmops.evals.datasets.split import assigned, ratios_of, split_of


def test_a_cluster_is_never_torn_and_shares_are_as_asked() -> None:
    ratios = ratios_of("train=0.8, dev=0.1,test=0.1")
    cases = [Case(id=str(n), input=n, cluster=f"c{n // 3}" if n % 2 else None) for n in range(20_000)]
    placed = list(assigned(cases, ratios))
    by_cluster: dict[str | None, set[str | None]] = {}
    for case in placed:
        if case.cluster:
            by_cluster.setdefault(case.cluster, set()).add(case.split)
    assert all(len(splits) == 1 for splits in by_cluster.values())
    counts = Counter(case.split for case in placed)
    assert abs(counts["train"] / 20_000 - 0.8) < 0.02 and abs(counts["test"] / 20_000 - 0.1) < 0.02
    assert [case.split for case in assigned(cases[5000:5100], ratios)] == [case.split for case in placed[5000:5100]]
    assert [split_of(str(n), ratios, 1) for n in range(99)] != [split_of(str(n), ratios, 2) for n in range(99)]
    assert {split_of(str(n), ratios_of("test=1,train=0")) for n in range(99)} == {"test"}


@pytest.mark.parametrize("text", ["", "train=.5", "train=x", "all=1", "train=1,train=0", "train=2,test=-1", "dev=nan"])
def test_what_are_no_shares_is_refused(text: str) -> None:
    with pytest.raises(InvalidRequest):
        ratios_of(text)


def test_samples_hold_small_groups_whole() -> None:
    items = [(f"i{n}", "rare" if n % 100 == 0 else "often") for n in range(1000)]
    chosen = sampled(items, 40, key=lambda each: each[0], stratum=lambda each: [each[1]], seed=3)
    assert Counter(group for _, group in chosen) == {"rare": 10, "often": 30}
    assert chosen == sampled(reversed(items), 40, key=lambda each: each[0], stratum=lambda each: [each[1]], seed=3)
    assert chosen != sampled(items, 40, key=lambda each: each[0], stratum=lambda each: [each[1]], seed=4)
    assert len(sampled(items, 5000, key=lambda each: each[0], stratum=lambda _: [])) == 1000
