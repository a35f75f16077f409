"""Releases kept: made once, moved one at a time, held back by the gate; on both engines."""

import pytest

from llmops.clock import ManualClock
from llmops.errors import Conflict, Forbidden, InvalidRequest, NotFound
from llmops.releases.card import Cards
from llmops.releases.directory import ReleaseDirectory
from llmops.store.database import Database
from tests.releases.parts import BOT, SomeEvals, a_directory


def make(releases: ReleaseDirectory, tenant: str | None = "acme", **fields: object) -> str:
    return releases.create({**BOT, **fields}, tenant, by="ann", reason="")[0].id


def go(releases: ReleaseDirectory, release: str, tenant: str | None = "acme", **fields: str) -> None:
    releases.live(release, tenant, by="ann", reason="because", **fields)


def live(releases: ReleaseDirectory, tenant: str | None = "acme") -> str | None:
    pointer = releases.pointer("support-bot", tenant)
    return pointer.release_id if pointer is not None else None


def test_the_same_bundle_is_the_same_release(database: Database) -> None:
    releases = a_directory(database)
    assert releases.repository.find(None) == [] and releases.repository.pointers() == []
    first, is_new = releases.create(BOT, "acme", by="ann", reason="first")
    again, is_new_again = releases.create(BOT, "acme", by="bob", reason="again")
    assert (is_new, is_new_again) == (True, False)
    assert again.created_by == "ann" and again.reason == "first" and again.id == first.id
    assert releases.create(BOT, "other", by="eve", reason="")[1]
    with pytest.raises(InvalidRequest, match="temperature"):
        make(releases, parameters={"temperature": "hot"})


def test_whose_it_is(database: Database) -> None:
    releases = a_directory(database)
    shared, own = make(releases, None), make(releases, "acme", model="other")
    assert {each.id for each in releases.repository.find("acme")} == {shared, own}
    assert [each.id for each in releases.repository.find("third")] == [shared]
    with pytest.raises(NotFound):
        releases.get(own, "third")
    with pytest.raises(Forbidden, match="shared"):
        go(releases, shared, "acme")
    with pytest.raises(NotFound, match="of the tenant 'acme'"):
        go(releases, own, None)
    go(releases, shared, None)
    assert live(releases, "acme") == shared
    go(releases, own, "acme")
    assert (live(releases, "acme"), live(releases, "third")) == (own, shared)
    for nonsense in ("", "rel-", "../..", "rel-ABCDEF0123456789"):
        with pytest.raises(NotFound):
            releases.get(nonsense, "acme")


def test_going_live_and_back(database: Database) -> None:
    releases = a_directory(database)
    first, second, third = (make(releases, parameters={"seed": number}) for number in range(3))
    with pytest.raises(NotFound, match="no release of"):
        releases.rollback("support-bot", "acme", by="ann", reason="oh")
    go(releases, first)
    with pytest.raises(Conflict, match="first live release"):
        releases.rollback("support-bot", "acme", by="ann", reason="oh")
    with pytest.raises(Conflict, match="already"):
        go(releases, first)
    with pytest.raises(InvalidRequest, match="say why"):
        releases.live(second, "acme", by="ann", reason=" ")
    go(releases, second)
    go(releases, third)
    assert releases.get(make(releases, parameters={"seed": 9}), "acme").parent == third
    assert releases.rollback("support-bot", "acme", by="ann", reason="bad")[0].id == second
    assert releases.rollback("support-bot", "acme", by="ann", reason="bad too")[0].id == first
    go(releases, third)
    assert releases.rollback("support-bot", "acme", by="ann", reason="bad")[0].id == first
    changes = [(each.change, each.after) for each in releases.repository.moves("acme", "support-bot")]
    assert changes[0] == ("rollback", first) and len(changes) == 7


def test_of_two_who_move_it_at_a_time_one_is_told(database: Database) -> None:
    releases = a_directory(database)
    first, second, third = (make(releases, parameters={"seed": number}) for number in range(3))
    go(releases, first)
    go(releases, second, expected=first)
    with pytest.raises(Conflict, match=f"is at {second} since 'ann' moved it, not at {first}"):
        go(releases, third, expected=first)


def test_nothing_passes_a_gate_for_want_of_a_verdict(database: Database) -> None:
    evals = SomeEvals()
    releases = a_directory(database, evals)
    gated, free = make(releases, requires_gate=True), make(releases)
    with pytest.raises(Conflict, match="requires a gate PASS and has no verdict"):
        go(releases, gated)
    evals.add("mine", gated)
    evals.add("half", gated, complete=False)
    evals.add("foreign", gated, tenant="other")
    evals.add("elsewhere", free)

    def judge(verdict: str, *runs: str, tenant: str | None = "acme") -> None:
        releases.judge(gated, tenant, verdict, runs, by="gate", reason="")  # type: ignore[arg-type]

    for runs, said in (
        ((), "names 1 to 50"),
        (("made-up",), "no eval run"),
        (("foreign",), "no eval run"),
        (("half",), "not complete"),
        (("elsewhere",), "none of the runs was of the release"),
        (("mine", "made-up"), "no eval run"),
    ):
        with pytest.raises(InvalidRequest, match=said):
            judge("PASS", *runs)
    with pytest.raises(NotFound):
        judge("PASS", "mine", tenant="other")
    assert live(releases) is None
    for verdict in ("INCONCLUSIVE", "ERROR", "BLOCK"):
        judge(verdict, "mine")
        with pytest.raises(Conflict, match=verdict):
            go(releases, gated)
    judge("PASS", "mine", "elsewhere")
    go(releases, gated)
    assert live(releases) == gated
    assert releases.repository.latest_verdicts() == {("acme", gated): "PASS"}


def test_a_block_holds_back_even_what_needs_no_gate_and_a_rollback(database: Database) -> None:
    evals = SomeEvals()
    releases = a_directory(database, evals)
    first, second = make(releases), make(releases, model="other", requires_gate=True)
    evals.add("one", first)
    evals.add("two", second)
    go(releases, first)
    releases.judge(second, "acme", "PASS", ["two"], by="gate", reason="")
    go(releases, second)
    releases.judge(first, "acme", "INCONCLUSIVE", ["one"], by="gate", reason="")
    releases.judge(first, "acme", "BLOCK", ["one"], by="gate", reason="")
    with pytest.raises(Conflict, match="BLOCK"):
        releases.rollback("support-bot", "acme", by="ann", reason="bad")
    assert live(releases) == second


def test_the_card_tells_it_all(database: Database) -> None:
    evals, clock = SomeEvals(), ManualClock()
    releases = a_directory(database, evals, clock)
    first = make(releases)
    go(releases, first)
    clock.advance(60)
    second = make(releases, prompt={"name": "greeting", "version": 2}, requires_gate=True)
    evals.add("run-1", second)
    releases.judge(second, "acme", "PASS", ["run-1"], by="gate", reason="")
    told = Cards(releases).card(second, "acme")
    assert told["parent"] == first and [each["id"] for each in told["lineage"]] == [first]
    assert [each["field"] for each in told["changed_from_parent"]] == ["prompt", "requires_gate"]
    assert told["gate"] == {"required": True, "verdict": "PASS"} and told["may_take_traffic"] and not told["live"]
    assert told["evals"] == [{"run_id": "run-1"}] and told["figures"] is None and told["rollouts"] == []
    go(releases, second)
    told = Cards(releases).card(second, "acme")
    assert told["live"] and told["moves"][0]["before"] == first
    with pytest.raises(NotFound):
        Cards(releases).card(second, "other")
