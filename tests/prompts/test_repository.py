"""Prompts in both databases: numbers, labels that are moved by comparison, rollbacks, pages, what is put away."""

import threading

import pytest

from llmops.errors import Conflict, InvalidRequest, NotFound
from llmops.prompts.prompt import SHARED, Selector
from llmops.store.database import Database
from tests.prompts.contents import Desk, chat


@pytest.fixture
def desk(database: Database) -> Desk:
    return Desk(database)


def test_versions_are_numbered_and_the_same_content_is_the_same_version(desk: Desk) -> None:
    assert [desk.publish("a", "one"), desk.publish("a", "one"), desk.publish("a", "two")] == [1, 1, 2]
    assert [desk.publish("a", "one"), desk.publish("a", chat(("user", "x")))] == [3, 4]
    assert [each.number for each in desk.kept.headers("acme", "a", limit=2)] == [4, 3]
    assert [each.number for each in desk.kept.headers("acme", "a", before=3, limit=9)] == [2, 1]
    with pytest.raises(Conflict, match="at version 4 by now, written by ann, not at 3"):
        desk.publish("a", "x", parent=3)
    with pytest.raises(Conflict):
        desk.publish("a", "x", parent=0)
    assert desk.publish("b", "x", parent=0) == 1
    assert desk.noted.actions == ["prompt.publish"] * 5


def test_of_two_who_move_a_label_at_once_one_wins_and_the_other_is_told(desk: Desk) -> None:
    for words in ("one", "two", "three"):
        desk.publish("a", words)
    directory, said = desk.directory, []
    barrier = threading.Barrier(2)

    def move(who: str, number: int) -> None:
        barrier.wait()
        try:
            directory.label(who, "acme", "a", "production", Selector(number), author=who, expected=None)
        except Conflict as exc:
            said.append(exc.message)

    threads = [threading.Thread(target=move, args=pair) for pair in (("ann", 2), ("bob", 3))]
    for each in threads:
        each.start()
    for each in threads:
        each.join()
    now = desk.kept.labels("acme", "a")[0]
    assert len(said) == 1 and f"is at version {now.number}, not nowhere yet: {now.moved_by} moved it there" in said[0]
    assert [move.who for move in desk.kept.moves("acme", "a")] == [now.moved_by]
    assert desk.noted.actions.count("prompt.label") == 1


def test_a_rollback_goes_back_step_by_step(desk: Desk) -> None:
    for words in ("one", "two", "three"):
        desk.publish("a", words, labels=["production"])
    directory = desk.directory
    assert directory.roll_back("ann", "acme", "a", "production", author="ann", reason="worse") == (3, 2)
    assert directory.roll_back("ann", "acme", "a", "production", author="ann") == (2, 1)
    with pytest.raises(Conflict, match="has not been anywhere before version 1"):
        directory.roll_back("ann", "acme", "a", "production", author="ann")
    directory.label("ann", "acme", "a", "production", Selector(3), author="ann", expected=1)
    assert directory.roll_back("ann", "acme", "a", "production", author="ann") == (3, 1)
    moves = desk.kept.moves("acme", "a")
    assert [(move.before, move.number, move.is_rollback) for move in moves][:2] == [(3, 1, True), (1, 3, False)]
    assert [move.reason for move in moves if move.reason] == ["worse"]


def test_labels_are_names_and_latest_is_nobodys(desk: Desk) -> None:
    desk.publish("a", "one")
    directory = desk.directory
    for label in ("Latest", "7", "", "x" * 37, "a b", "a@b"):
        with pytest.raises(InvalidRequest):
            directory.label("ann", "acme", "a", label, Selector(1), author="ann")
    with pytest.raises(InvalidRequest, match="always at the newest"):
        directory.label("ann", "acme", "a", "latest", Selector(1), author="ann")
    with pytest.raises(NotFound, match="'9'"):
        directory.label("ann", "acme", "a", "staging", Selector(9), author="ann")
    directory.label("ann", "acme", "a", "staging", Selector(label="latest"), author="ann")
    assert directory.unlabel("ann", "acme", "a", "staging", author="ann") == 1
    with pytest.raises(NotFound):
        directory.unlabel("ann", "acme", "a", "staging", author="ann")


def test_what_is_put_away_is_not_there_and_comes_back_with_the_next_number(desk: Desk) -> None:
    desk.publish("a", "one", labels=["production"])
    desk.directory.archive("ann", "acme", "a", author="ann", reason="old")
    assert desk.kept.summaries(["acme"], limit=9) == [] and desk.kept.visible("acme", "a", Selector(1)) is None
    with pytest.raises(NotFound):
        desk.kept.headers("acme", "a")
    assert desk.publish("a", "two", parent=0) == 2
    assert desk.kept.summary("acme", "a").labels == {}


def test_folders_pages_and_searches(desk: Desk) -> None:
    for name in ("top", "a/one", "a/two", "a/b/three", "a/b/c/four", "z_/five"):
        desk.publish(name, "x", tags=["t"])
    desk.publish("a/one", "shared", SHARED)
    desk.publish("hidden/x", "x", "other")
    kept, whose = desk.kept, ["acme", SHARED]
    assert kept.folders(whose) == ["a", "z_"]
    assert kept.folders(whose, "a") == ["a/b"] and kept.folders(whose, "a/b") == ["a/b/c"]
    assert [each.name for each in kept.summaries(whose, folder="", limit=9)] == ["top"]
    first = kept.summaries(whose, limit=2)
    assert [(each.name, each.is_shared) for each in first] == [("a/b/c/four", False), ("a/b/three", False)]
    seen, after = [], ""
    while page := kept.summaries(whose, after=after, limit=2):
        seen += [(each.name, each.tenant) for each in page]
        after = f"{page[-1].name}@{page[-1].tenant}"
    assert len(seen) == len(set(seen)) == 7 and ("hidden/x", "other") not in seen
    assert len(kept.summaries(None, limit=99)) == 8
    assert [each.name for each in kept.summaries(whose, search="_/", limit=9)] == ["z_/five"]


def test_hostile_words_are_kept_as_they_are(desk: Desk) -> None:
    words = "<img src=x onerror=alert(1)> \u202e'; DROP TABLE prompts;-- " + "x" * 200_000
    desk.publish("a", words, comment="**\u202e<b>")
    assert desk.kept.version("acme", "a", Selector(1)).content.text == words
    with pytest.raises(InvalidRequest, match="NUL"):
        desk.publish("a", "a\0b")
    for name in ("", "a//b", "/a", "a/", "../a", "a/../b", "a@b", "x" * 201, "a\nb", ".a", "a.", "*"):
        with pytest.raises(InvalidRequest):
            desk.publish(name, "x")
